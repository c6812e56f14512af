#include "compute/page_changes.h"

#include <algorithm>
#include <array>

#include "compute/attachments.h"
#include "pg/commit_log.h"
#include "pg/relation_path.h"
#include "store/file_changes.h"

namespace tarn::compute {

namespace {

using store::PointReader;
using store::RestorePointId;

using Page = std::array<unsigned char, store::kBlockBytes>;

// The restore points on the way down to the root: of each log the one that the log above began
// from.
Result<std::vector<RestorePointId>> way_down(const store::Store& store, RestorePointId from) {
    std::vector<RestorePointId> way;
    for (; from.number != 0; from = TRY(store.incarnation(from.log)).base) way.push_back(from);
    return way;
}

// The oldest restore point that was surely made after the two parted, on the side of `way`, whose
// place `at` lies on the log that both have, with the restore point `parted`.
Result<RestorePointId> after_parting(const store::Store& store,
                                     const std::vector<RestorePointId>& way, size_t at,
                                     uint32_t parted) {
    bool goes_on = way[at].number > parted;
    if (!goes_on && at == 0) return way[0];
    const RestorePointId& side = goes_on ? way[at] : way[at - 1];
    for (uint32_t number : TRY(store.restore_points(side.log)))
        if (number <= side.number && (!goes_on || number > parted))
            return RestorePointId{side.log, number};
    return side;
}

// A transaction that both sides know was begun before this one. Nothing: they have no past in
// common.
Result<std::optional<uint64_t>> shared_transactions_end(const store::Store& store,
                                                        const RestorePointId& one,
                                                        const RestorePointId& other) {
    auto way = TRY(way_down(store, one));
    auto other_way = TRY(way_down(store, other));
    for (size_t at = 0; at < way.size(); ++at)
        for (size_t other_at = 0; other_at < other_way.size(); ++other_at) {
            if (way[at].log != other_way[other_at].log) continue;
            uint32_t parted = std::min(way[at].number, other_way[other_at].number);
            auto after = TRY(after_parting(store, way, at, parted));
            auto other_after = TRY(after_parting(store, other_way, other_at, parted));
            auto point = TRY(store.restore_point(after));
            auto other_point = TRY(store.restore_point(other_after));
            uint64_t next = TRY(control_of(point)).file.checkpoint_copy.next_xid;
            uint64_t other_next = TRY(control_of(other_point)).file.checkpoint_copy.next_xid;
            return std::optional(std::min(next, other_next));
        }
    return std::optional<uint64_t>();
}

Result<void> read_block(PointReader& side, FileId id, uint32_t block, Page& page) {
    const store::FileRecord* file = side.file(id);
    std::optional<store::SlotClaim> claim;
    if (file) claim = TRY(side.find(*file, block));
    return side.read(claim, page.data());
}

// Does one of the transactions from `first` on that precede `end` have another fate?
bool fates_differ(const Page& one, const Page& other, uint32_t first, uint32_t end) {
    for (uint32_t at = 0; at < pg::kTransactionsOfPage; ++at)
        if (static_cast<int32_t>(first + at - end) < 0 &&
            pg::is_committed(one.data(), at) != pg::is_committed(other.data(), at))
            return true;
    return false;
}

Result<bool> fates_differ(PointReader& one, PointReader& other, const store::FileChange& change,
                          const pg::SlruFile& file, uint32_t end) {
    Page page;
    Page other_page;
    for (const auto& range : change.blocks)
        for (uint32_t block = range.begin; block < range.end; ++block) {
            TRY(read_block(one, change.id, block, page));
            TRY(read_block(other, change.id, block, other_page));
            auto first = static_cast<uint32_t>((file.segment * pg::kSlruSegmentPages + block) *
                                               pg::kTransactionsOfPage);
            if (fates_differ(page, other_page, first, end)) return true;
        }
    return false;
}

void add(pg::PageChanges& changes, const pg::RelationFile& file, const store::FileChange& change) {
    auto& [ranges, changed] = changes.relations[{file.database, file.relation}];
    changed += change.changed;
    uint32_t begin = file.segment * pg::kRelationSegmentBlocks;
    for (const auto& range : change.blocks)
        append_range(ranges, {begin + range.begin, begin + range.end});
}

}  // namespace

Result<pg::PageChanges> page_changes(const store::Store& store, uint64_t one, uint64_t other) {
    auto open = [&](uint64_t lineage) -> Result<PointReader> {
        return PointReader::load(store.disk(), store.root(),
                                 TRY(store.newest_restore_point(lineage)));
    };
    PointReader side = TRY(open(one));
    PointReader other_side = TRY(open(other));
    auto end = TRY(shared_transactions_end(store, side.point().id, other_side.point().id));
    pg::PageChanges changes;
    changes.same_fates = end.has_value();
    for (const auto& change : TRY(store::file_changes(side, other_side))) {
        pg::RelationFile relation;
        pg::SlruFile slru;
        if (pg::relation_of(change.id, &relation)) {
            if (relation.fork == pg::Fork::main) add(changes, relation, change);
        } else if (changes.same_fates && pg::slru_of(change.id, &slru) &&
                   slru.kind == pg::SlruKind::xact) {
            changes.same_fates =
                !TRY(fates_differ(side, other_side, change, slru, static_cast<uint32_t>(*end)));
        }
    }
    return changes;
}

}  // namespace tarn::compute
