// slot_scan.h: reads slot headers of a log back (docs/formats/log.md).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/format.h"
#include "sys/disk.h"

namespace tarn::store {

enum class SlotState {
    written,
    hole,     // never written: its writer is under way, has died or has failed
    damaged,  // neither: what was written is not there any more
};

// What `header`, read from where slot `slot` of `log` lies, says about it.
SlotState slot_state(const SlotHeader& header, LogId log, uint64_t slot);

// Calls visit(header) for every written slot of [from, to), ascending, and adds the holes to
// `holes`. data_loss if a header is damaged.
Result<void> scan_slots(sys::Disk& disk, const char* root, LogId log, uint64_t from, uint64_t to,
                        std::vector<uint64_t>& holes,
                        const std::function<void(const SlotHeader&)>& visit);

// The segment that a file of a log's directory is of; nullopt if it is of none.
std::optional<uint64_t> segment_in(const std::string& name);
// The segments that the log has files of, by the names in its directory.
Result<std::vector<uint64_t>> segments_of(sys::Disk& disk, const char* root, LogId log);

}  // namespace tarn::store
