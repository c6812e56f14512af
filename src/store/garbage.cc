// garbage.cc: the end of restore points and indexes that nobody needs.

#include <algorithm>
#include <map>
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

// What stays of one lineage. Restore points and indexes by incarnation and number.
struct Store::Kept {
    using Names = std::set<std::pair<uint32_t, uint32_t>>;
    LogId running;        // the newest incarnation
    uint32_t newest = 0;  // its newest restore point; 0: none yet
    Names restore_points;
    Names indexes;
    // By incarnation: indexes from this number on stay, because all restore points since do.
    std::map<uint32_t, uint32_t> indexes_from;

    bool keeps_index(uint32_t incarnation, uint32_t number) const {
        auto from = indexes_from.find(incarnation);
        return indexes.contains({incarnation, number}) ||
               (from != indexes_from.end() && number >= from->second);
    }
};

// Keeps the newest two of the running incarnation, and of every incarnation those from `oldest` on.
// What an incarnation began from is named by its record.
Result<Store::Kept> Store::kept_as_recent(LogId running, const RestorePointId& oldest) const {
    Kept kept{.running = running, .restore_points = {}, .indexes = {}, .indexes_from = {}};
    for (uint32_t incarnation : TRY(incarnations(running.lineage))) {
        std::vector<uint32_t> numbers = TRY(restore_points({running.lineage, incarnation}));
        bool runs = incarnation == running.incarnation;
        if (runs && !numbers.empty()) kept.newest = numbers.back();
        auto from = std::find_if(numbers.begin(), numbers.end(), [&](uint32_t number) {
            return oldest.number != 0 && std::pair(incarnation, number) >=
                                             std::pair(oldest.log.incarnation, oldest.number);
        });
        if (runs && static_cast<size_t>(numbers.end() - from) < kRestorePointsKept)
            from = numbers.end() -
                   static_cast<std::ptrdiff_t>(std::min(kRestorePointsKept, numbers.size()));
        if (from == numbers.end()) continue;
        kept.indexes_from[incarnation] = *from;
        for (; from != numbers.end(); ++from) kept.restore_points.insert({incarnation, *from});
    }
    return kept;
}

// Adds to `kept` what records name, and the indexes below.
Result<void> Store::keep_what_is_named(Kept& kept) const {
    uint64_t lineage = kept.running.lineage;
    Kept::Names read;  // whose indexes are to be kept
    for (auto [incarnation, number] : kept.indexes_from) read.insert({incarnation, number});
    auto keep = [&](const RestorePointId& id) {
        if (id.number == 0 || id.log.lineage != lineage) return;
        kept.restore_points.insert({id.log.incarnation, id.number});
        read.insert({id.log.incarnation, id.number});
    };
    for (uint64_t other : TRY(lineages())) {
        auto origins = origins_of(other);
        if (origins.ok())
            std::for_each(origins->begin(), origins->end(), keep);
        else if (may_descend(other, lineage))
            return std::move(origins).error();
        else
            log::warn("store: lineage {:016x}, which does not descend from {:016x}: {}", other,
                      lineage, origins.error().text());
    }

    // An index is named by the restore points of a stretch of time, from its own on. So it is named
    // by the first kept one behind its beginning if by any, or by one that stands alone. Each must
    // be readable, or nothing is removed.
    for (const auto& [incarnation, number] : read) {
        RestorePoint point =
            TRY_CTX(restore_point({{lineage, incarnation}, number}), "collect garbage");
        for (const IndexRef& index : point.indexes)
            if (index.lineage == lineage) kept.indexes.insert({index.incarnation, index.number});
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
        bool stays = indexes ? kept.keeps_index(log.incarnation, number)
                             : kept.restore_points.contains({log.incarnation, number});
        if (stays) continue;
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
    auto synced = sys::sync_directory(*disk_, incarnation_directory(root_.c_str(), log).text,
                                      sys::SyncSite::restore_point_directory);
    if (!synced) {
        Error failure = std::move(synced).error().context("collect garbage");
        // Names of new log segments may be lost with it.
        if (failure.code() != Code::io_error) return failure;
        return poison_log(*disk_, root_.c_str(), log, std::move(failure));
    }
    for (const std::string& path : index_paths)
        TRY_CTX(sys::remove_tree(*disk_, path), "collect garbage");
    return {};
}

Result<void> Store::collect_garbage(uint64_t lineage, const RestorePointId& oldest) const {
    std::vector<uint32_t> numbers = TRY(incarnations(lineage));
    if (numbers.empty()) return {};
    auto collect = [&]() -> Result<void> {
        Kept kept = TRY(kept_as_recent({lineage, numbers.back()}, oldest));
        bool some = false;
        for (uint32_t number : numbers)
            some = some || !TRY(unneeded(kept, {lineage, number}, false)).empty();
        if (!some) return {};
        TRY(keep_what_is_named(kept));
        for (uint32_t number : numbers) TRY(remove_all_but(kept, {lineage, number}));
        return {};
    };
    TRY_CTX(collect(), "collect garbage of lineage {:016x}", lineage);
    return {};
}

}  // namespace tarn::store
