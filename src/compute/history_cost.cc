#include "compute/history_cost.h"

#include <algorithm>
#include <filesystem>

#include "base/flag_counts.h"
#include "compute/layout.h"
#include "compute/opening.h"
#include "store/paths.h"

namespace tarn::compute {

namespace {

// Is its record the only one that it is named by? Then nobody else pins it.
bool is_named_by_others(const std::set<uint64_t>& by, uint64_t lineage) {
    return std::any_of(by.begin(), by.end(), [&](uint64_t each) { return each != lineage; });
}

}  // namespace

HistoryCost cost_of(const MeasuredHistory& history, const store::Origins::Named& named) {
    HistoryCost cost;
    cost.measured = history.measured;
    cost.replay_max = replay_max_of(history.points, history.stays);
    std::vector<bool> pinned(history.ids.size());
    std::map<uint32_t, size_t> pin_at;  // by the place of its restore point
    for (uint32_t at = 0; at < history.ids.size(); ++at) {
        if (!history.stays[at]) continue;
        ++cost.restore_points;
        auto by = named.find(history.ids[at]);
        if (by == named.end()) continue;
        pinned[at] = is_named_by_others(by->second, history.ids[at].log.lineage);
        HistoryCost::Pin pin;
        pin.taken = history.points[at].taken;
        for (uint64_t lineage : by->second) pin.by.push_back(lineage_text(lineage));
        pin_at[at] = cost.pins.size();
        cost.pins.push_back(std::move(pin));
    }
    std::vector<bool> free = history.stays;
    for (size_t at = 0; at < free.size(); ++at)
        if (pinned[at]) free[at] = false;
    FlagCounts left(history.stays), left_without_pins(free);
    for (const auto& [stretch, bytes] : history.stretches) {
        uint32_t showing = left.between(stretch.first, stretch.second);
        if (showing == 0) continue;
        cost.version_bytes += bytes;
        if (left_without_pins.between(stretch.first, stretch.second) == 0)
            cost.pinned_bytes += bytes;
        if (showing > 1) continue;
        for (auto pin = pin_at.lower_bound(stretch.first);
             pin != pin_at.end() && pin->first <= stretch.second; ++pin)
            cost.pins[pin->second].bytes += bytes;
    }
    return cost;
}

uint64_t wal_bytes_of(const store::Store& store, uint64_t lineage) {
    uint64_t bytes = 0;
    auto incarnations = store.incarnations(lineage);
    if (!incarnations.ok()) return 0;
    for (uint32_t number : *incarnations)
        for (const char* directory : {store::kWalDirectory, store::kWalArchiveDirectory}) {
            std::error_code failure;
            std::filesystem::directory_iterator files(
                incarnation_path(store, {lineage, number}) + "/" + directory, failure);
            // What goes meanwhile does not count.
            for (; !failure && files != std::filesystem::directory_iterator();
                 files.increment(failure)) {
                std::error_code gone;
                if (!files->is_regular_file(gone)) continue;
                auto size = files->file_size(gone);
                if (!gone) bytes += size;
            }
        }
    return bytes;
}

}  // namespace tarn::compute
