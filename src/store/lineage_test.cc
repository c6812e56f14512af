#include "store/lineage.h"

#include <gtest/gtest.h>

#include <fcntl.h>

#include <cerrno>

#include "store/index_writer.h"
#include "store/origins.h"
#include "store/page_log.h"
#include "store/paths.h"
#include "store/test_directory.h"

namespace tarn::store {
namespace {

constexpr FileId kFile{1, 10};

struct Page {
    unsigned char bytes[kBlockBytes];
    explicit Page(int fill) { std::fill(std::begin(bytes), std::end(bytes), fill); }
};

// A running incarnation: map, log, and the restore points it makes.
class Running {
  public:
    Running(Store& store, LogId log)
        : store_(store),
          mapped_(good(MappedMap::open(store.root(), log))),
          pages_(store.disk(), mapped_.map()) {}
    ~Running() { pages_.close_descriptors(); }

    PageLog& pages() { return pages_; }
    FileEntry* file(FileId id = kFile) {
        bool created;
        int failure;
        return pages_.map().find_or_create(id, &created, &failure);
    }
    void write(uint32_t block, int fill, FileId id = kFile) {
        Page page(fill);
        const void* data = page.bytes;
        ASSERT_EQ(pages_.write(file(id), block, &data, 1), 0);
        pages_.map().grow_length(file(id), block + 1);
    }
    // The byte that fills the page; -1 for mixed ones, or -errno.
    int read(uint32_t block, FileId id = kFile) {
        Page page(0xee);
        void* data = page.bytes;
        int result = pages_.read(file(id), block, &data, 1);
        if (result < 0) return result;
        for (unsigned char byte : page.bytes)
            if (byte != page.bytes[0]) return -1;
        return page.bytes[0];
    }
    RestorePoint seal(const RestorePoint* previous, const RestorePoint* base) {
        EXPECT_EQ(pages_.seal("control", 7, 1), 0);
        ControlBuffer control;
        pages_.map().read_control(&control);
        RestorePoint point = good(
            store_.index_seal(pages_.map().header().sources[1], previous, base, control.seal_slot));
        add_live_files(point, pages_.map());
        good(save(store_.disk(), store_.root().c_str(), point));
        return point;
    }

  private:
    Store& store_;
    MappedMap mapped_;
    PageLog pages_;
};

LogId begin(Store& store, uint64_t lineage, const RestorePoint* base) {
    LogId log = good(store.begin_incarnation(lineage));
    good(store.create_map(log, base));
    good(store.finish_incarnation({log, base ? base->id : RestorePointId{}, {}}));
    return log;
}

struct LineageTest : testing::Test {
    TestDirectory directory;
    Store store = good(Store::open(sys::real_disk(), directory.path() + "/store"));
};

TEST_F(LineageTest, RecordsReadBack) {
    good(store.create_lineage({7, {{3, 4}, 5}, {{"system_identifier", "x"}}}));
    LineageRecord record = good(store.lineage(7));
    EXPECT_EQ(record.parent, (RestorePointId{{3, 4}, 5}));
    EXPECT_EQ(record.attachments.at("system_identifier"), "x");
    EXPECT_EQ(good(store.lineages()), std::vector<uint64_t>{7});
    auto again = store.create_lineage({7, {}, {}});
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().code(), Code::already_exists);
    EXPECT_EQ(store.lineage(8).error().code(), Code::not_found);

    LogId log = begin(store, 7, nullptr);
    EXPECT_EQ(log, (LogId{7, 1}));
    EXPECT_EQ(good(store.incarnation(log)).base.number, 0u);
    EXPECT_TRUE(
        good(sys::exists(store.disk(), incarnation_directory(store.root().c_str(), log).text +
                                           std::string("/wal"))));
}

TEST_F(LineageTest, UnfinishedDirectoriesDoNotCountAndAreRemoved) {
    good(store.create_lineage({7, {}, {}}));
    LogId finished = begin(store, 7, nullptr);
    LogId unfinished = good(store.begin_incarnation(7));
    ASSERT_EQ(store.disk().make_directory(lineage_directory(store.root().c_str(), 9), 0700), 0);
    EXPECT_EQ(good(store.lineages()), std::vector<uint64_t>{7});
    EXPECT_EQ(good(store.incarnations(7)), std::vector<uint32_t>{finished.incarnation});
    good(store.remove_unfinished([](uint64_t lineage) { return lineage == 9; }));
    EXPECT_TRUE(good(sys::exists(store.disk(), lineage_directory(store.root().c_str(), 9).text)));
    good(store.remove_unfinished([](uint64_t) { return false; }));
    EXPECT_FALSE(good(sys::exists(store.disk(), lineage_directory(store.root().c_str(), 9).text)));
    // Somebody may still be making the incarnation, until the next one begins. Its number stays
    // taken.
    auto there = [&] {
        return good(sys::exists(store.disk(),
                                incarnation_directory(store.root().c_str(), unfinished).text));
    };
    EXPECT_TRUE(there());
    EXPECT_EQ(good(store.begin_incarnation(7)).incarnation, unfinished.incarnation + 1);
    EXPECT_FALSE(there());
    EXPECT_EQ(good(store.incarnations(7)), std::vector<uint32_t>{finished.incarnation});
}

TEST_F(LineageTest, AChildSeesItsParentAsOfTheRestorePointAndNeitherSeesTheOther) {
    good(store.create_lineage({1, {}, {}}));
    LogId parent_log = begin(store, 1, nullptr);
    Running parent(store, parent_log);
    for (uint32_t block = 0; block < 10; ++block) parent.write(block, 1);
    RestorePoint first = parent.seal(nullptr, nullptr);
    parent.write(3, 2);
    ASSERT_EQ(parent.pages().truncate(parent.file(), 6), 0);
    parent.pages().map().grow_length(parent.file(), 10);
    parent.write(8, 2);
    RestorePoint second = parent.seal(&first, nullptr);
    parent.write(4, 3);  // after the branch point

    good(store.create_lineage({2, second.id, {}}));
    Running child(store, begin(store, 2, &second));
    EXPECT_EQ(child.file()->length.load(), 10u);
    EXPECT_EQ(child.read(0), 1);
    EXPECT_EQ(child.read(3), 2);
    EXPECT_EQ(child.read(4), 1);
    EXPECT_EQ(child.read(7), 0);
    EXPECT_EQ(child.read(8), 2);
    child.write(0, 9);
    EXPECT_EQ(parent.read(0), 1);
    EXPECT_EQ(child.read(0), 9);

    // A grandchild, by way of an index of the child over two of the parent.
    RestorePoint third = child.seal(nullptr, &second);
    auto names = [](const std::vector<IndexRef>& indexes) {
        std::vector<RestorePointId> ids;
        for (const IndexRef& each : indexes)
            ids.push_back({{each.lineage, each.incarnation}, each.number});
        return ids;
    };
    // Its own index, whose sources are its own log, and then just what its base names (N3, X2).
    ASSERT_EQ(third.indexes.size(), second.indexes.size() + 1);
    EXPECT_EQ(names({third.indexes.begin() + 1, third.indexes.end()}), names(second.indexes));
    auto own = good(LoadedIndex::load(store.disk(), store.root().c_str(), third.indexes[0]));
    EXPECT_EQ(own.sources(), (std::vector<LogId>{{2, 1}}));
    good(store.create_lineage({3, third.id, {}}));
    Running grandchild(store, begin(store, 3, &third));
    EXPECT_EQ(grandchild.read(0), 9);
    EXPECT_EQ(grandchild.read(3), 2);
    EXPECT_EQ(grandchild.read(7), 0);

    EXPECT_EQ(good(store.dependents(1)), (std::vector<uint64_t>{2, 3}));
    EXPECT_EQ(good(store.dependents(2)), std::vector<uint64_t>{3});
    EXPECT_EQ(good(store.dependents(3)), std::vector<uint64_t>{});
    // A lineage without a seal of its own opens from what it was branched from.
    EXPECT_EQ(good(store.newest_restore_point(3)).id, third.id);
    EXPECT_EQ(good(store.newest_restore_point(1)).id, second.id);
}

TEST_F(LineageTest, TheStackStaysLogarithmicAndRight) {
    good(store.create_lineage({1, {}, {}}));
    Running running(store, begin(store, 1, nullptr));
    std::optional<RestorePoint> previous;
    int expected[40] = {};
    size_t deepest = 0;
    for (int round = 1; round <= 60; ++round) {
        for (uint32_t i = 0; i < 4; ++i) {
            uint32_t block = (static_cast<uint32_t>(round) * 7 + i * i) % 40;
            running.write(block, round);
            expected[block] = round;
        }
        previous = running.seal(previous ? &*previous : nullptr, nullptr);
        deepest = std::max(deepest, previous->indexes.size());
    }
    EXPECT_LE(deepest, 4u);
    good(store.create_lineage({2, previous->id, {}}));
    Running child(store, begin(store, 2, &*previous));
    for (uint32_t block = 0; block < 40; ++block) EXPECT_EQ(child.read(block), expected[block]);
}

TEST_F(LineageTest, ASealWithNothingNewTakesNoIndex) {
    good(store.create_lineage({1, {}, {}}));
    Running running(store, begin(store, 1, nullptr));
    running.write(0, 1);
    RestorePoint first = running.seal(nullptr, nullptr);
    RestorePoint second = running.seal(&first, nullptr);
    EXPECT_EQ(second.id.number, 2u);
    EXPECT_EQ(second.indexes.size(), 1u);
    EXPECT_EQ(second.indexes[0].number, 1u);
}

// A block and a restore point each round.
std::vector<RestorePoint> seal_rounds(Running& running, int rounds) {
    std::vector<RestorePoint> points;
    for (int round = 1; round <= rounds; ++round) {
        running.write(static_cast<uint32_t>(round), round);
        points.push_back(running.seal(points.empty() ? nullptr : &points.back(), nullptr));
    }
    return points;
}

TEST_F(LineageTest, GarbageGoesAndWhatIsNamedStays) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    std::vector<RestorePoint> points = seal_rounds(running, 6);
    good(store.create_lineage({2, points[1].id, {}}));
    LogId child = begin(store, 2, &points[1]);
    good(store.collect_garbage(1));
    EXPECT_EQ(good(store.restore_points(log)), (std::vector<uint32_t>{2, 5, 6}));
    for (uint32_t number : {2u, 5u, 6u}) {
        RestorePoint kept =
            good(load_restore_point(store.disk(), store.root().c_str(), {log, number}));
        good(store.create_map(child, &kept));  // reads every index
    }
    good(store.remove_lineage(2));
    good(store.remove_lineage(2));
    good(store.collect_garbage(1));
    EXPECT_EQ(good(store.restore_points(log)), (std::vector<uint32_t>{5, 6}));
    EXPECT_EQ(running.read(1), 1);
}

TEST_F(LineageTest, ALaterLookAtTheRecordsSeesWhatHasComeAndGone) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    std::vector<RestorePoint> points = seal_rounds(running, 6);
    Origins origins;
    EXPECT_EQ(good(store.needed_restore_points(1, origins)),
              (std::set<RestorePointId>{points[4].id, points[5].id}));
    good(store.create_lineage({2, points[1].id, {}}));
    begin(store, 2, &points[1]);
    good(store.create_lineage({3, points[1].id, {}}));
    good(store.collect_garbage(1, {}, {}, origins));
    EXPECT_EQ(good(store.restore_points(log)), (std::vector<uint32_t>{2, 5, 6}));
    EXPECT_EQ(good(origins.named_of(1)), (Origins::Named{{points[1].id, {2, 3}}}));
    good(store.remove_lineage(2));
    good(store.remove_lineage(3));
    good(store.collect_garbage(1, {}, {}, origins));
    EXPECT_EQ(good(store.restore_points(log)), (std::vector<uint32_t>{5, 6}));
}

// No crash leaves a restore point without the record that came before it.
TEST_F(LineageTest, WhatHasRunAndLostItsRecordStaysAndSoDoesWhatItNames) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    std::vector<RestorePoint> points = seal_rounds(running, 6);
    good(store.create_lineage({2, points[1].id, {}}));
    LogId child = begin(store, 2, &points[1]);
    auto remove = [&](const std::string& path) {
        ASSERT_EQ(store.disk().unlink(path.c_str()), 0) << path;
    };
    remove(lineage_directory(store.root().c_str(), 2).text + std::string("/lineage"));
    EXPECT_EQ(good(store.lineages()), std::vector<uint64_t>{1});
    EXPECT_EQ(good(store.lineages_and_lost()), (std::vector<uint64_t>{1, 2}));
    EXPECT_EQ(good(store.dependents(1)), std::vector<uint64_t>{2});
    EXPECT_FALSE(store.collect_garbage(1).ok());
    EXPECT_EQ(good(store.restore_points(log)).size(), 6u);
    EXPECT_FALSE(good(store.has_run(child)));
    good(store.remove_lineage(2));
    good(store.collect_garbage(1));
    EXPECT_EQ(good(store.restore_points(log)).size(), 2u);

    ASSERT_TRUE(good(store.has_run(log)));
    remove(incarnation_directory(store.root().c_str(), log).text + std::string("/incarnation"));
    EXPECT_EQ(good(store.begin_incarnation(1)).incarnation, log.incarnation + 1);
    EXPECT_EQ(good(store.restore_points(log)).size(), 2u);
}

TEST_F(LineageTest, WhatIsAskedForIsKeptWithItsIndexes) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    std::vector<RestorePoint> points = seal_rounds(running, 8);
    good(store.collect_garbage(1, points[3].id));
    EXPECT_EQ(good(store.restore_points(log)), (std::vector<uint32_t>{4, 5, 6, 7, 8}));
    good(store.create_lineage({2, points[3].id, {}}));
    LogId child = begin(store, 2, &points[3]);
    for (uint32_t number = 4; number <= 8; ++number) {
        RestorePoint kept =
            good(load_restore_point(store.disk(), store.root().c_str(), {log, number}));
        good(store.create_map(child, &kept));  // reads every index
    }
    good(store.remove_lineage(2));
    good(store.collect_garbage(1, points[6].id));
    EXPECT_EQ(good(store.restore_points(log)), (std::vector<uint32_t>{7, 8}));
}

// Flips a bit in the middle of a record.
void damage(const std::string& path) {
    auto bytes = good(sys::read_file(sys::real_disk(), path));
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(sys::write_scratch(sys::real_disk(), path, bytes).ok());
}

// Lineages 1, its child 2, and 3 by itself; six restore points of 1 and of 3.
struct DamagedRecordTest : LineageTest {
    void SetUp() override {
        for (uint64_t lineage : {1u, 3u}) {
            good(store.create_lineage({lineage, {}, {}}));
            LogId log = begin(store, lineage, nullptr);
            Running running(store, log);
            std::vector<RestorePoint> points = seal_rounds(running, 6);
            if (lineage == 1) second = points[1].id;
        }
        RestorePoint point = good(load_restore_point(store.disk(), store.root().c_str(), second));
        good(store.create_lineage({2, second, {}}));
        child = begin(store, 2, &point);
    }
    size_t restore_points(uint64_t lineage) {
        return good(store.restore_points({lineage, 1})).size();
    }
    RestorePointId second;
    LogId child;
};

TEST_F(DamagedRecordTest, HistoryThatAnIncarnationRecordMayNameStaysAndOtherGoes) {
    std::string path =
        incarnation_directory(store.root().c_str(), child).text + std::string("/incarnation");
    damage(path);
    auto collected = store.collect_garbage(1);
    ASSERT_FALSE(collected.ok());
    EXPECT_NE(collected.error().text().find(path), std::string::npos) << collected.error().text();
    EXPECT_NE(collected.error().hint().find("delete the branch whose lineage is 0000000000000002"),
              std::string::npos);
    EXPECT_EQ(restore_points(1), 6u);
    EXPECT_EQ(good(store.dependents(1)), std::vector<uint64_t>{2});

    good(store.collect_garbage(3));
    EXPECT_EQ(restore_points(3), 2u);
    EXPECT_TRUE(good(store.dependents(3)).empty());

    good(store.remove_lineage(2));  // what the hint says
    good(store.collect_garbage(1));
    EXPECT_EQ(restore_points(1), 2u);
}

TEST_F(DamagedRecordTest, ALineageRecordMayNameTheHistoryOfAll) {
    damage(lineage_directory(store.root().c_str(), 2).text + std::string("/lineage"));
    for (uint64_t lineage : {1u, 3u}) {
        EXPECT_FALSE(store.collect_garbage(lineage).ok());
        EXPECT_EQ(restore_points(lineage), 6u);
        EXPECT_EQ(good(store.dependents(lineage)), std::vector<uint64_t>{2});
    }
    EXPECT_TRUE(good(store.dependents(2)).empty()) << "it can be removed itself";
}

// A file is cut between a seal and the taking of the lengths. PostgreSQL, starting again from
// there, finds it as short as its WAL says and cuts nothing; it grows again, by zeros that need no
// slot.
TEST_F(LineageTest, BlocksBeyondTheLengthsOfTheBaseStayZerosWhenTheFileGrowsAgain) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running first(store, log);
    for (uint32_t block = 0; block < 6; ++block) first.write(block, 1);
    ASSERT_EQ(first.pages().seal("control", 7, 1), 0);
    ASSERT_EQ(first.pages().truncate(first.file(), 4), 0);
    RestorePoint base = good(store.index_seal(log, nullptr, nullptr, 6));
    add_live_files(base, first.pages().map());
    good(save(store.disk(), store.root().c_str(), base));
    ASSERT_EQ(base.files.at(0).length, 4u);

    Running second(store, begin(store, 1, &base));
    second.write(5, 0);
    EXPECT_EQ(second.read(5), 0);
    RestorePoint grown = second.seal(nullptr, &base);
    ASSERT_EQ(grown.files.at(0).length, 6u);
    Running third(store, begin(store, 1, &grown));
    EXPECT_EQ(third.read(3), 1);
    EXPECT_EQ(third.read(4), 0);
    EXPECT_EQ(third.read(5), 0);
}

// R3
TEST_F(LineageTest, TheBirthOfAFileThatIsGoneIsNotGivenOutAgain) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running first(store, log);
    first.write(0, 1);
    uint64_t birth = first.file()->birth.load();
    ASSERT_EQ(first.pages().seal("control", 7, 1), 0);
    first.pages().map().unlink(first.file());
    RestorePoint base = good(store.index_seal(log, nullptr, nullptr, 1));
    EXPECT_TRUE(base.files.empty());
    EXPECT_GT(base.next_birth, birth);
    good(save(store.disk(), store.root().c_str(), base));

    Running second(store, begin(store, 1, &base));
    EXPECT_GT(second.file()->birth.load(), birth);
    EXPECT_EQ(second.read(0), 0);
}

TEST_F(LineageTest, AFencedLogTakesNoMoreWrites) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    running.write(0, 1);
    good(store.fence(log));
    Page page(2);
    const void* data = page.bytes;
    EXPECT_EQ(running.pages().write(running.file(), 0, &data, 1), -EIO);
    EXPECT_EQ(running.read(0), 1);
    good(store.fence({1, 2}));  // no map: nobody can write
}

TEST_F(LineageTest, APoisonedLogIsNotSealed) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    running.write(0, 1);
    ASSERT_EQ(running.pages().seal("control", 7, 1), 0);
    running.pages().map().header().state.store(LogState::poisoned);
    EXPECT_FALSE(store.index_seal(log, nullptr, nullptr, 1).ok());
    good(store.fence(log));
    EXPECT_EQ(running.pages().map().header().state.load(), LogState::poisoned);
}

// A writer's failed sync of the directory may have lost the name that the next one calls durable.
TEST_F(LineageTest, APoisonedLogKeepsNoRestorePoint) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    running.write(0, 1);
    ASSERT_EQ(running.pages().seal("control", 7, 1), 0);
    RestorePoint point = good(store.index_seal(log, nullptr, nullptr, 1));
    running.pages().map().header().state.store(LogState::poisoned);
    auto saved = save(store.disk(), store.root().c_str(), point);
    ASSERT_FALSE(saved.ok());
    EXPECT_EQ(saved.error().code(), Code::io_error);
    EXPECT_TRUE(good(store.restore_points(log)).empty());
}

TEST_F(LineageTest, ADamagedSlotHeaderIsNotTakenForAHole) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    for (uint32_t block = 0; block < 3; ++block) running.write(block, 1);
    ASSERT_EQ(running.pages().seal("control", 7, 1), 0);
    std::string path = segment_path(store.root().c_str(), log, 0, true).text;
    {
        sys::File file = good(sys::File::open(store.disk(), path, O_RDWR));
        good(file.write("x", 1, 64 + 40));
    }
    auto sealed = store.index_seal(log, nullptr, nullptr, 3);
    ASSERT_FALSE(sealed.ok());
    EXPECT_EQ(sealed.error().code(), Code::data_loss);
}

TEST_F(LineageTest, ADamagedNewestRestorePointGivesWayToTheOneBefore) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    running.write(0, 1);
    RestorePoint first = running.seal(nullptr, nullptr);
    RestorePoint second = running.seal(&first, nullptr);
    good(sys::write_scratch(store.disk(), restore_point_path(store.root().c_str(), log, 2).text,
                            "damaged"));
    EXPECT_EQ(good(store.newest_restore_point(log))->id, first.id);
    good(sys::write_scratch(store.disk(), restore_point_path(store.root().c_str(), log, 1).text,
                            "damaged"));
    EXPECT_EQ(store.newest_restore_point(log).error().code(), Code::data_loss);
    EXPECT_EQ(store.newest_restore_point(uint64_t{1}).error().code(), Code::data_loss);
}

TEST_F(LineageTest, TooManyIndexesIsAnErrorThatSaysSo) {
    good(store.create_lineage({1, {}, {}}));
    LogId log = begin(store, 1, nullptr);
    Running running(store, log);
    running.write(0, 1);
    RestorePoint base;
    base.id = {{5, 1}, 1};
    base.indexes.assign(kMaxIndexes, IndexRef{5, 1, 1});
    ASSERT_EQ(running.pages().seal("control", 7, 1), 0);
    auto sealed = store.index_seal(log, nullptr, &base, 1);
    ASSERT_FALSE(sealed.ok());
    EXPECT_EQ(sealed.error().code(), Code::quota_exceeded);
    EXPECT_FALSE(sealed.error().hint().empty());
}

TEST(Store, RefusesARootThatItsPathsCannotHold) {
    EXPECT_EQ(Store::open(sys::real_disk(), "relative").error().code(), Code::invalid_argument);
    EXPECT_EQ(Store::open(sys::real_disk(), "/" + std::string(400, 'a')).error().code(),
              Code::invalid_argument);
}

}  // namespace
}  // namespace tarn::store
