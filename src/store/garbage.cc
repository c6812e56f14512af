// garbage.cc: the end of restore points and indexes that nobody needs.

#include <algorithm>
#include <set>
#include <utility>

#include "store/lineage.h"
#include "store/log_state.h"
#include "store/origins.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

constexpr size_t kRestorePointsKept = 2;

}  // namespace

// What stays of one lineage.
struct Store::Kept {
    LogId running;        // the newest incarnation
    uint32_t newest = 0;  // its newest restore point; 0: none yet
    std::set<RestorePointId> restore_points;
    std::set<RestorePointId> indexes;  // by the same names
};

Result<std::vector<RestorePointId>> Store::restore_points(uint64_t lineage) const {
    std::vector<RestorePointId> points;
    for (uint32_t incarnation : TRY(incarnations(lineage)))
        for (uint32_t number : TRY(restore_points(LogId{lineage, incarnation})))
            points.push_back({{lineage, incarnation}, number});
    return points;
}

Result<std::set<RestorePointId>> Store::newest_of(LogId running) const {
    std::set<RestorePointId> newest;
    std::vector<uint32_t> numbers = TRY(restore_points(running));
    for (size_t i = 0; i < std::min(kRestorePointsKept, numbers.size()); ++i)
        newest.insert({running, numbers[numbers.size() - 1 - i]});
    return newest;
}

Result<std::set<RestorePointId>> Store::needed_restore_points(uint64_t lineage,
                                                              Origins& origins) const {
    TRY(origins.look(*this));
    std::set<RestorePointId> needed;
    for (const auto& [id, by] : TRY(origins.named_of(lineage))) needed.insert(id);
    std::vector<uint32_t> numbers = TRY(incarnations(lineage));
    if (!numbers.empty()) needed.merge(TRY(newest_of({lineage, numbers.back()})));
    return needed;
}

// Each that stays must be readable, or nothing is removed.
Result<void> Store::keep_indexes(Kept& kept) const {
    for (const RestorePointId& id : kept.restore_points) {
        RestorePoint point = TRY_CTX(restore_point(id), "collect garbage");
        for (const IndexRef& index : point.indexes)
            if (index.lineage == kept.running.lineage)
                kept.indexes.insert({{index.lineage, index.incarnation}, index.number});
    }
    return {};
}

// The restore points that the records of a lineage name.
Result<std::vector<RestorePointId>> Store::origins_of(uint64_t id) const {
    auto read = [&]() -> Result<std::vector<RestorePointId>> {
        std::vector<RestorePointId> origins{TRY(lineage(id)).parent};
        for (uint32_t number : TRY(incarnations(id)))
            origins.push_back(TRY(incarnation({id, number})).base);
        return origins;
    };
    auto origins = read();
    if (origins.ok()) return origins;
    return std::move(origins)
        .error()
        .context("history that it may name is kept")
        .with_hint(
            fmt::format("bring that file back, or delete the branch whose lineage is {:016x}", id));
}

// May records of `id` name history of `ancestor`? They name that of the lineages it descends from
// and its own. Whenever that cannot be told, they may.
bool Store::may_descend(uint64_t id, uint64_t ancestor) const {
    std::set<uint64_t> seen;
    for (;;) {
        if (id == ancestor || !seen.insert(id).second) return true;
        auto record = lineage(id);
        if (!record.ok()) return true;
        if (record->parent.number == 0) return false;
        id = record->parent.log.lineage;
    }
}

// Files of an incarnation, of those that the newest restore point knew.
Result<std::vector<std::string>> Store::unneeded(const Kept& kept, LogId log, bool indexes) const {
    std::vector<std::string> paths;
    for (uint32_t number : TRY(numbered_files(log, indexes ? ".index" : ".restore"))) {
        // One above the newest is the work of the compute that is sealing.
        if (log == kept.running && number > kept.newest) continue;
        if ((indexes ? kept.indexes : kept.restore_points).contains({log, number})) continue;
        paths.emplace_back(indexes ? index_path(root_.c_str(), log, number).text
                                   : restore_point_path(root_.c_str(), log, number).text);
    }
    return paths;
}

Result<void> Store::remove_all_but(const Kept& kept, LogId log) const {
    auto restore_point_paths = TRY(unneeded(kept, log, false));
    auto index_paths = TRY(unneeded(kept, log, true));
    if (restore_point_paths.empty() && index_paths.empty()) return {};
    for (const std::string& path : restore_point_paths)
        TRY_CTX(sys::remove_tree(*disk_, path), "collect garbage");
    // No crash may bring a restore point back without its indexes.
    TRY_CTX(sync_log_directory(*disk_, root_.c_str(), log), "collect garbage");
    for (const std::string& path : index_paths)
        TRY_CTX(sys::remove_tree(*disk_, path), "collect garbage");
    return {};
}

Result<void> Store::collect_garbage(uint64_t lineage, const RestorePointId& oldest,
                                    const std::set<RestorePointId>& thinned) const {
    Origins origins;
    return collect_garbage(lineage, oldest, thinned, origins);
}

Result<void> Store::collect_garbage(uint64_t lineage, const RestorePointId& oldest,
                                    const std::set<RestorePointId>& thinned,
                                    Origins& origins) const {
    std::vector<uint32_t> numbers = TRY(incarnations(lineage));
    if (numbers.empty()) return {};
    auto collect = [&]() -> Result<void> {
        Kept kept{.running = {lineage, numbers.back()}, .restore_points = {}, .indexes = {}};
        std::set<RestorePointId> newest = TRY(newest_of(kept.running));
        if (!newest.empty()) kept.newest = newest.rbegin()->number;
        bool some = false;
        for (const RestorePointId& id : TRY(restore_points(lineage))) {
            bool asked_for = oldest.number != 0 && id >= oldest && !thinned.contains(id);
            if (asked_for || newest.contains(id))
                kept.restore_points.insert(id);
            else
                some = true;
        }
        if (!some) return {};
        TRY(origins.look(*this));  // by now: nobody is branching
        for (const auto& [id, by] : TRY(origins.named_of(lineage))) kept.restore_points.insert(id);
        TRY(keep_indexes(kept));
        for (uint32_t number : numbers) TRY(remove_all_but(kept, {lineage, number}));
        return {};
    };
    TRY_CTX(collect(), "collect garbage of lineage {:016x}", lineage);
    return {};
}

}  // namespace tarn::store
