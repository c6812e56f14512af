// history_lock.h: files of a lineage that are about to go or to move, and those who read them.
//
// The one who looks after the history (trim_history()) takes a lock alone, or comes back later.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "store/lineage.h"
#include "sys/descriptor.h"

namespace tarn::compute {

// Keeps the lineage's history from being removed, as long as the descriptor is open. Waits for a
// removal that is under way. not_found if there is no such lineage.
Result<sys::Descriptor> hold_history(const store::Store& store, uint64_t lineage);

// Keeps pages of the lineage from being moved into packed files, as long as the descriptor is open:
// for who copies its files one after the other. Waits for a round that is under way, seconds at
// most. not_found if there is no such lineage.
Result<sys::Descriptor> hold_packing(const store::Store& store, uint64_t lineage);

// Nothing while somebody holds it.
Result<std::optional<sys::Descriptor>> take_history(const store::Store& store, uint64_t lineage);
Result<std::optional<sys::Descriptor>> take_packing(const store::Store& store, uint64_t lineage);

}  // namespace tarn::compute
