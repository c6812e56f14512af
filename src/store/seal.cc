// seal.cc: from a seal to a restore point, and the end of those that nobody needs.

#include <fcntl.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "store/index_writer.h"
#include "store/lineage.h"
#include "store/log_state.h"
#include "store/paths.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

// An index below joins the one that is being written if it is at most this many times its size: so
// each index of a stack is more than twice as large as the one above it, and a stack of n bytes has
// at most log2 n of them.
constexpr uint64_t kMergeRatio = 2;

constexpr size_t kRestorePointsKept = 2;

// More slots than writers could ever be under way at once: something else is wrong.
constexpr size_t kHolesMax = 1 << 20;

bool lists(const std::vector<FileRecord>& files, const FileBirth& file) {
    auto at = std::lower_bound(files.begin(), files.end(), file.id,
                               [](const FileRecord& each, FileId id) { return each.id < id; });
    return at != files.end() && at->id == file.id && at->birth == file.birth;
}

}  // namespace

Result<RestorePoint> Store::index_seal(LogId log, const RestorePoint* previous,
                                       const RestorePoint* base, uint64_t seal_slot) const {
    const RestorePoint* below = previous ? previous : base;
    RestorePoint point;
    point.id = {log, TRY(next_number(log))};
    point.seal_slot = seal_slot;
    if (below) point.indexes = below->indexes;
    if (below) point.next_birth = below->next_birth;

    uint64_t from = previous ? previous->seal_slot : 0;
    if (from > seal_slot)
        return error(Code::internal, "index seal at slot {}: the last one was at {}", seal_slot,
                     from);
    IndexBuilder builder(log);
    if (!previous && base) TRY(cut_at_base(*base, builder));
    std::set<uint64_t> segments;
    auto add = [&](const SlotHeader& header) {
        builder.add(header);
        segments.insert(header.slot / kSlotsPerSegment);
        point.next_birth = std::max(point.next_birth, header.birth + 1);
    };
    // Slots come in ascending order: what was a hole last time lies below everything new.
    if (previous)
        for (uint64_t hole : previous->holes)
            TRY(scan_slots(*disk_, root_.c_str(), log, hole, hole + 1, point.holes, add));
    TRY(scan_slots(*disk_, root_.c_str(), log, from, seal_slot, point.holes, add));
    if (point.holes.size() > kHolesMax)
        return error(Code::internal, "index seal at slot {}: {} slots were never written",
                     seal_slot, point.holes.size());
    // What was under way when the seal synced the log may have been completed since, and been found
    // above: it needs a sync of its own before an index says that it is there.
    TRY(sync_log(log, {segments.begin(), segments.end()}));

    IndexContents contents = builder.finish();
    if (contents.empty()) return point;
    TRY(merge_below(point, below, contents));
    IndexRef ref{log.lineage, log.incarnation, point.id.number};
    point.indexes.insert(point.indexes.begin(), ref);
    if (point.indexes.size() > kMaxIndexes || contents.sources.size() >= kMaxSources)
        return error(Code::quota_exceeded,
                     "index seal of {:016x}/{}: {} indexes over {} logs; {} and {} are allowed",
                     log.lineage, log.incarnation, point.indexes.size(), contents.sources.size(),
                     kMaxIndexes, kMaxSources)
            .with_hint("branches are nested too deeply; copy the data into a new project");
    TRY(save_index(*disk_, root_.c_str(), ref, contents));
    return point;
}

// The base's indexes may hold blocks beyond the lengths that it lists: its files were cut, or the
// blocks' writers had not finished, between its seal and the taking of the lengths. To an
// incarnation that began from it such blocks are zeros, and when a file grows again over them no
// slot need say so: so the incarnation's first index says it for all of them.
Result<void> Store::cut_at_base(const RestorePoint& base, IndexBuilder& builder) const {
    std::set<FileBirth> cut;
    if (base.files.empty()) return {};
    for (const IndexRef& ref : base.indexes) {
        LoadedIndex index = TRY_CTX(LoadedIndex::load(*disk_, root_.c_str(), ref), "index seal");
        const IndexReader& reader = index.reader();
        for (const FileRecord& file : base.files) {
            const IndexFile* found = reader.find(file.id, file.birth);
            if (!found || found->entries == 0) continue;
            FileBirth birth{file.id, file.birth};
            bool beyond = reader.entries(found)[found->entries - 1].block >= file.length;
            if (beyond && cut.insert(birth).second) builder.begin_cut(birth, file.length);
        }
    }
    return {};
}

// Syncs segments of a log. A failure poisons it, as it does in PageLog.
Result<void> Store::sync_log(LogId log, const std::vector<uint64_t>& segments) const {
    for (uint64_t segment : segments)
        for (bool slots : {false, true}) {
            Path path = segment_path(root_.c_str(), log, segment, slots);
            sys::File file = TRY_CTX(sys::File::open(*disk_, path.text, O_RDWR), "sync log");
            auto synced = file.sync(slots ? sys::SyncSite::log_slots : sys::SyncSite::log_pages);
            if (synced) continue;
            return poison_log(*disk_, root_.c_str(), log, std::move(synced).error())
                .context("sync log");
        }
    // The kernel tells of a lost write only once; a writer may have been the one that was told.
    if (TRY(log_state(*disk_, root_.c_str(), log)) == LogState::poisoned)
        return error(Code::io_error, "index seal of {:016x}/{}: a sync of its log has failed",
                     log.lineage, log.incarnation)
            .with_hint("restart the compute: it goes on from its last restore point and its WAL");
    return {};
}

// Merges the newest indexes of the same lineage into `contents`, and takes them off the stack.
Result<void> Store::merge_below(RestorePoint& point, const RestorePoint* below,
                                IndexContents& contents) const {
    // A birth that was gone when the last restore point listed its files never comes back.
    auto alive = [below](const FileBirth& file) {
        return below->files.empty() || lists(below->files, file);
    };
    while (!point.indexes.empty() && point.indexes.front().lineage == point.id.log.lineage) {
        LoadedIndex older = TRY_CTX(LoadedIndex::load(*disk_, root_.c_str(), point.indexes.front()),
                                    "merge indexes");
        if (older.bytes() > kMergeRatio * contents.encoded_bytes()) break;
        contents = merge(contents, older.reader(), alive);
        point.indexes.erase(point.indexes.begin());
    }
    return {};
}

Result<void> Store::collect_garbage(uint64_t lineage) const {
    std::vector<uint32_t> numbers = TRY(incarnations(lineage));
    if (numbers.empty()) return {};
    LogId running{lineage, numbers.back()};

    // The newest of the running chain: those of the newest incarnation, then what it began from.
    std::vector<RestorePointId> chain;
    for (uint32_t number : TRY(restore_points(running))) chain.push_back({running, number});
    std::reverse(chain.begin(), chain.end());
    uint32_t newest = chain.empty() ? 0 : chain.front().number;
    if (chain.size() > kRestorePointsKept) chain.resize(kRestorePointsKept);

    // And those that records name, of this lineage or of others.
    std::set<std::tuple<uint32_t, uint32_t>> kept;
    auto keep = [&](const RestorePointId& id) {
        if (id.number != 0 && id.log.lineage == lineage)
            kept.insert({id.log.incarnation, id.number});
    };
    for (const RestorePointId& id : chain) keep(id);
    for (uint64_t other : TRY(lineages())) {
        keep(TRY(this->lineage(other)).parent);
        for (uint32_t number : TRY(incarnations(other)))
            keep(TRY(incarnation({other, number})).base);
    }

    // Indexes that the kept ones name. Each must be readable, or nothing is removed.
    std::set<std::tuple<uint32_t, uint32_t>> named;
    for (const auto& [incarnation, number] : kept) {
        RestorePoint point =
            TRY_CTX(load_restore_point(*disk_, root_.c_str(), {{lineage, incarnation}, number}),
                    "collect garbage");
        for (const IndexRef& index : point.indexes)
            if (index.lineage == lineage) named.insert({index.incarnation, index.number});
    }

    for (uint32_t incarnation : numbers) {
        LogId log{lineage, incarnation};
        std::vector<std::string> restore_point_paths, index_paths;
        for (uint32_t number : TRY(restore_points(log)))
            if (!kept.contains({incarnation, number}))
                restore_point_paths.push_back(restore_point_path(root_.c_str(), log, number).text);
        // One above the newest restore point belongs to the next, which is about to be saved.
        for (uint32_t number : TRY(numbered_files(log, ".index")))
            if (!named.contains({incarnation, number}) && (log != running || number < newest))
                index_paths.push_back(index_path(root_.c_str(), log, number).text);
        if (restore_point_paths.empty() && index_paths.empty()) continue;
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
    }
    return {};
}

}  // namespace tarn::store
