// The stretches against what each restore point shows when it is read by itself.
#include "store/version_spans.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "store/index_writer.h"
#include "store/page_log.h"
#include "store/test_directory.h"

namespace tarn::store {
namespace {

using Slot = std::pair<uint32_t, uint64_t>;  // incarnation, slot

// Every slot of the lineage's own that the restore point's stack answers with.
std::set<Slot> shown_by(const Store& store, const RestorePoint& point) {
    std::set<Slot> shown;
    for (const FileRecord& file : point.files)
        for (uint32_t block = 0; block < 64; ++block)
            for (const IndexRef& ref : point.indexes) {
                LoadedIndex index =
                    good(LoadedIndex::load(store.disk(), store.root().c_str(), ref));
                IndexEntry entry;
                auto answer = index.reader().lookup(file.id, file.birth, block, &entry);
                if (answer == IndexAnswer::unknown) continue;
                Location location{entry.location};
                if (answer == IndexAnswer::found && ref.lineage == point.id.log.lineage)
                    shown.insert({index.reader().sources()[location.source() - 1].incarnation,
                                  location.slot()});
                break;
            }
    return shown;
}

// Files are written, cut, dropped and made again at random, through several incarnations, some of
// which begin from a restore point that is not the newest, and some restore points are gone.
TEST(VersionSpans, AreWhatEachRestorePointShows) {
    TestDirectory directory;
    Store store = good(Store::open(sys::real_disk(), directory.path() + "/store"));
    good(store.create_lineage({1, {}, {}}));
    std::mt19937 random(20261122);
    auto below = [&](uint32_t end) { return static_cast<uint32_t>(random() % end); };
    std::vector<RestorePoint> made;
    std::optional<RestorePoint> base;
    for (int life = 0; life < 6; ++life) {
        LogId log = good(store.begin_incarnation(1));
        good(store.create_map(log, base ? &*base : nullptr));
        good(store.finish_incarnation({log, base ? base->id : RestorePointId{}, {}}));
        MappedMap mapped = good(MappedMap::open(store.root(), log));
        PageLog pages(store.disk(), mapped.map());
        std::optional<RestorePoint> previous;
        for (int seal = 0; seal < 8; ++seal) {
            for (int step = 0; step < 40; ++step) {
                FileId id{1, 10 + below(4)};
                bool created;
                int failure;
                FileEntry* file = pages.map().find_or_create(id, &created, &failure);
                uint32_t what = below(20), block = below(64);
                std::string page(kBlockBytes, static_cast<char>('a' + below(26)));
                const void* data = page.data();
                if (what == 0) {
                    pages.map().unlink(file);
                } else if (what <= 2) {
                    ASSERT_EQ(pages.truncate(file, what == 1 ? 0 : block), 0);
                } else {
                    ASSERT_EQ(pages.write(file, block, &data, 1), 0);
                    pages.map().grow_length(file, block + 1);
                }
            }
            ASSERT_EQ(pages.seal("control", 7, 1), 0);
            ControlBuffer control;
            pages.map().read_control(&control);
            RestorePoint point =
                good(store.index_seal(log, previous ? &*previous : nullptr,
                                      base && !previous ? &*base : nullptr, control.seal_slot));
            add_live_files(point, pages.map());
            good(save(store.disk(), store.root().c_str(), point));
            previous = point;
            made.push_back(point);
        }
        pages.close_descriptors();
        base = life % 3 == 1 ? made[made.size() - 3] : made.back();
    }
    std::vector<RestorePointId> ids;
    std::vector<const RestorePoint*> looked_at;
    for (const RestorePoint& point : made)
        if (below(3) != 0) {
            ids.push_back(point.id);
            looked_at.push_back(&point);
        }
    auto found = good(version_spans(store, ids));
    for (uint32_t at = 0; at < looked_at.size(); ++at) {
        std::set<Slot> stretches;
        for (const VersionSpan& span : found.spans)
            if (span.first <= at && at <= span.last)
                stretches.insert({span.incarnation, span.slot});
        EXPECT_EQ(stretches, shown_by(store, *looked_at[at])) << "restore point " << at;
    }
}

}  // namespace
}  // namespace tarn::store
