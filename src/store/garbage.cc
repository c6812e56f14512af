// garbage.cc: the end of restore points and indexes that nobody needs.

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "store/lineage.h"
#include "store/log_state.h"
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
    // Both by incarnation and number.
    std::set<std::pair<uint32_t, uint32_t>> restore_points;
    std::set<std::pair<uint32_t, uint32_t>> indexes;
};

Result<Store::Kept> Store::kept_of(LogId running) const {
    Kept kept{.running = running, .restore_points = {}, .indexes = {}};
    auto keep = [&](const RestorePointId& id) {
        if (id.number != 0 && id.log.lineage == running.lineage)
            kept.restore_points.insert({id.log.incarnation, id.number});
    };

    // The newest of the running incarnation. What it began from is named by its record, below.
    std::vector<uint32_t> chain = TRY(restore_points(running));
    std::reverse(chain.begin(), chain.end());
    if (!chain.empty()) kept.newest = chain.front();
    if (chain.size() > kRestorePointsKept) chain.resize(kRestorePointsKept);
    for (uint32_t number : chain) keep({running, number});

    // And those that records name, of this lineage or of others.
    for (uint64_t other : TRY(lineages())) {
        auto origins = origins_of(other);
        if (origins.ok())
            std::for_each(origins->begin(), origins->end(), keep);
        else if (may_descend(other, running.lineage))
            return std::move(origins).error();
        else
            log::warn("store: lineage {:016x}, which does not descend from {:016x}: {}", other,
                      running.lineage, origins.error().text());
    }

    // Indexes that the kept ones name. Each must be readable, or nothing is removed.
    for (const auto& [incarnation, number] : kept.restore_points) {
        RestorePoint point = TRY_CTX(
            load_restore_point(*disk_, root_.c_str(), {{running.lineage, incarnation}, number}),
            "collect garbage");
        for (const IndexRef& index : point.indexes)
            if (index.lineage == running.lineage)
                kept.indexes.insert({index.incarnation, index.number});
    }
    return kept;
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

Result<void> Store::remove_all_but(const Kept& kept, LogId log) const {
    std::vector<std::string> restore_point_paths, index_paths;
    for (uint32_t number : TRY(restore_points(log)))
        if (!kept.restore_points.contains({log.incarnation, number}))
            restore_point_paths.push_back(restore_point_path(root_.c_str(), log, number).text);
    // One above the newest restore point belongs to the next, which is about to be saved.
    for (uint32_t number : TRY(numbered_files(log, ".index")))
        if (!kept.indexes.contains({log.incarnation, number}) &&
            (log != kept.running || number < kept.newest))
            index_paths.push_back(index_path(root_.c_str(), log, number).text);
    if (restore_point_paths.empty() && index_paths.empty()) return {};
    for (const std::string& path : restore_point_paths)
        TRY_CTX(sys::remove_tree(*disk_, path), "collect garbage");
    // No crash may bring a restore point back without its indexes.
    auto synced = sys::sync_directory(*disk_, incarnation_directory(root_.c_str(), log).text,
                                      sys::SyncSite::restore_point_directory);
    if (!synced)
        return poison_log(*disk_, root_.c_str(), log, std::move(synced).error())
            .context("collect garbage");
    for (const std::string& path : index_paths)
        TRY_CTX(sys::remove_tree(*disk_, path), "collect garbage");
    return {};
}

Result<void> Store::collect_garbage(uint64_t lineage) const {
    std::vector<uint32_t> numbers = TRY(incarnations(lineage));
    if (numbers.empty()) return {};
    Kept kept =
        TRY_CTX(kept_of({lineage, numbers.back()}), "collect garbage of lineage {:016x}", lineage);
    for (uint32_t number : numbers) TRY(remove_all_but(kept, {lineage, number}));
    return {};
}

}  // namespace tarn::store
