// seal.cc: from a seal to a restore point.

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "store/index_writer.h"
#include "store/lineage.h"
#include "store/log_state.h"
#include "store/paths.h"
#include "store/point_reader.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

// An index below joins the one that is being written if it is at most this many times its size: so
// each index of a stack is more than twice as large as the one above it, and a stack of n bytes has
// at most log2 n of them.
constexpr uint64_t kMergeRatio = 2;

// More slots than writers could ever be under way at once: something else is wrong.
constexpr size_t kHolesMax = 1 << 20;

bool lists(const std::vector<FileRecord>& files, const FileBirth& file) {
    const FileRecord* found = find_file(files, file.id);
    return found && found->birth == file.birth;
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

    std::vector<LoadedIndex> stack;
    auto lies_below = [&](const FileBirth& file, uint32_t block) {
        return slot_below(log, below, stack, file, block);
    };
    IndexContents contents = TRY_CTX(builder.finish(lies_below), "index seal");
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

// Which slot of the log `below` says that a block lies in. Loads its indexes when first asked.
Result<std::optional<uint64_t>> Store::slot_below(LogId log, const RestorePoint* below,
                                                  std::vector<LoadedIndex>& stack,
                                                  const FileBirth& file, uint32_t block) const {
    if (stack.empty() && below)
        for (const IndexRef& ref : below->indexes)
            stack.push_back(TRY(LoadedIndex::load(*disk_, root_.c_str(), ref)));
    auto found = TRY(look_up(stack, file, block));
    return found && found->log == log ? std::optional(found->slot) : std::nullopt;
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
    // A writer may have been the one that was told of a lost write.
    TRY_CTX(check_unpoisoned(*disk_, root_.c_str(), log), "index seal");
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

}  // namespace tarn::store
