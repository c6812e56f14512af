// history_file.h: timeline history files ("00000003.history"): which timelines led to one, and
// where each was left.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/lsn.h"
#include "base/result.h"

namespace tarn::pg {

struct HistoryEntry {
    uint32_t tli = 0;
    Lsn switch_point;  // the timeline's WAL counts before this
    std::string reason;

    bool operator==(const HistoryEntry&) const = default;
};

struct TimelineHistory {
    uint32_t tli = 0;                     // the file's own timeline
    std::vector<HistoryEntry> ancestors;  // oldest first; empty for timeline 1
};

Result<TimelineHistory> parse_history(uint32_t tli, std::string_view text);

}  // namespace tarn::pg
