// thinning.h: which restore points of a lineage's history go, so that it takes no more space than
// it may.
//
// A restore point costs the page versions that only it shows. Without it, moments behind it take
// longer to open, because more WAL is replayed from the one before. Recent moments are asked for
// most: there every restore point stays, as long as the budget allows it; further back they may
// lie further apart, and where the budget is exceeded all of them the further apart the older
// they are.
//
// Three kinds stay whatever they cost:
// - Those that others need, and the newest two. They come on top of the budget.
// - The oldest, which the WAL that is kept begins with.
// - Anchors: without one there would be a gap of more than half of the window between those beside
//   it. So one always comes of age: the oldest, and the WAL, are at most one and a half windows
//   old, where restore points are made at all. It is half of the window and not all, because
//   another set of page versions, at most as large as the branch, costs far less than the WAL of
//   half a window does under load.
// The oldest and the anchors count against the budget. Should they use it up, half of it is there
// for the others nevertheless: the last moments stay quick to open.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/time.h"
#include "store/version_spans.h"

namespace tarn::compute {

struct HistoryPoint {
    Time taken;
    Span replay{0};       // estimate for all WAL up to it: differences tell distances
    bool needed = false;  // by others, or one of the newest two: stays, on top of the budget
    bool oldest = false;  // the WAL that is kept begins with it: stays, and counts
};

// The moments that can be asked for.
struct HistoryWindow {
    Time opens;
    Time now;
};

struct HistoryLimits {
    Span dense{std::chrono::hours{1}};           // no thinning that young, but for the budget
    Span replay_max{std::chrono::seconds{8}};    // estimate for moments that are older
    double budget = 1;                           // of a branch's size, for what thinning can free
    uint64_t budget_least = uint64_t{64} << 20;  // bytes: of small branches
    bool packs = true;                           // what only older restore points show
    bool waits = true;  // for more to come together, before little space is given back
    bool operator==(const HistoryLimits&) const = default;
};

// The same, while the disk has too little room: no promised moment goes, but opening one may take
// longer.
HistoryLimits for_a_full_disk(HistoryLimits limits);

// The bytes of the page versions that each stretch of restore points shows, its last one included;
// without those that the newest shows.
using Stretches = std::map<std::pair<uint32_t, uint32_t>, uint64_t>;
Stretches stretches_of(const store::VersionSpans& spans);

// The worst estimate for a moment between two of those that stay.
Span replay_max_of(const std::vector<HistoryPoint>& points, const std::vector<bool>& stays);

struct Thinned {
    std::vector<bool> stays;  // one for each restore point
    uint64_t bytes = 0;  // of page versions that only older restore points than the newest show
    Span replay_max{0};  // worst estimate for a moment between two of them
};

// `points` in their order, and what they show. `size`: of the branch, in bytes.
Thinned thin(const std::vector<HistoryPoint>& points, const Stretches& stretches,
             const HistoryWindow& window, const HistoryLimits& limits, uint64_t size);

}  // namespace tarn::compute
