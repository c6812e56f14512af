// What is given back and what stays, in real files.
#include "store/give_back.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "store/paths.h"
#include "store/test_directory.h"
#include "store/test_log.h"
#include "store/verify.h"

namespace tarn::store {
namespace {

constexpr FileId kFile{1, 10};
constexpr FileId kDropped{1, 11};

// Lineage 1 with one running incarnation. Each round writes every block of kFile anew.
struct GiveBackTest : testing::Test {
    GiveBackTest() {
        good(store_.create_lineage({1, {}, {}}));
        begin(nullptr);
    }

    void begin(const RestorePoint* base) {
        running_.reset();
        running_.emplace(store_, 1, base);
        log_ = running_->id();
    }
    void write(FileId id, uint32_t block, int fill) {
        std::string page(kBlockBytes, static_cast<char>(fill));
        running_->write(id, block, page.data());
    }
    int read(uint32_t block) {
        std::string page(kBlockBytes, '\0');
        void* data = page.data();
        PageLog& pages = running_->pages();
        int result = pages.read(pages.map().find(kFile), block, &data, 1);
        return result < 0 ? result : page[0];
    }
    RestorePoint seal() { return running_->seal(); }
    std::vector<RestorePoint> rounds(int count) {
        std::vector<RestorePoint> points;
        for (int round = 1; round <= count; ++round) {
            for (uint32_t block = 0; block < kBlocks; ++block) write(kFile, block, round);
            points.push_back(seal());
        }
        return points;
    }
    void thin(const std::set<RestorePointId>& thinned, std::optional<Time> now = std::nullopt) {
        auto spans = good(version_spans(store_, good(store_.restore_points(1))));
        good(store_.collect_garbage(1, {{1, 1}, 1}, thinned));
        good(give_back_.run(store_, 1, spans, std::nullopt, now));
    }
    uint64_t allocated(LogId log, uint64_t segment, bool slots) const {
        struct stat status {};
        std::string path = segment_path(store_.root().c_str(), log, segment, slots).text;
        return ::stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512
                                                  : 0;
    }
    Verified whole(const RestorePoint& point) {
        return good(verify(store_.disk(), store_.root().c_str(), point));
    }

    static constexpr uint32_t kBlocks = 256;
    static constexpr uint64_t kRound = kBlocks * kBlockBytes;
    static constexpr Time kNow{std::chrono::hours{1}};
    static constexpr uint64_t kOfTheFileSystem = 64 << 10;  // to note down where the holes are
    TestDirectory directory_;
    Store store_ = good(Store::open(sys::real_disk(), directory_.path() + "/store"));
    LogId log_;
    std::optional<TestLog> running_;
    GiveBack give_back_{{.least_slots = 0}};
};

TEST_F(GiveBackTest, WhatARestorePointShowsStays) {
    auto points = rounds(6);
    uint64_t before = allocated(log_, 0, false);
    thin({points[1].id, points[2].id, points[3].id});
    EXPECT_EQ(good(store_.restore_points(log_)), (std::vector<uint32_t>{1, 5, 6}));
    EXPECT_LE(allocated(log_, 0, false), before - 3 * kRound + kOfTheFileSystem);
    for (int at : {0, 4, 5}) EXPECT_EQ(whole(points[static_cast<size_t>(at)]).pages, kBlocks);
    EXPECT_EQ(read(7), 6);
}

TEST_F(GiveBackTest, LittleWaitsUntilItIsMoreOrHasWaitedForLong) {
    auto points = rounds(9);
    uint64_t before = allocated(log_, 0, false);
    thin({points[1].id, points[2].id}, kNow);
    EXPECT_EQ(allocated(log_, 0, false), before) << "2 of 9 rounds";
    thin({points[3].id}, kNow);
    uint64_t after = allocated(log_, 0, false);
    EXPECT_LE(after, before - 3 * kRound + kOfTheFileSystem);
    thin({points[4].id}, kNow);
    EXPECT_EQ(allocated(log_, 0, false), after) << "one of the six that are left";
    Time later = kNow + GiveBackLimits().longest_wait;
    EXPECT_EQ(give_back_.due(), later);
    thin({}, later);
    uint64_t less = allocated(log_, 0, false);
    EXPECT_LE(less, after - kRound + kOfTheFileSystem);
    EXPECT_FALSE(give_back_.due());
    thin({points[5].id}, later);
    EXPECT_EQ(allocated(log_, 0, false), less) << "it waits anew";
    thin({points[6].id}, later);
    EXPECT_LE(allocated(log_, 0, false), less - 2 * kRound + kOfTheFileSystem)
        << "two of the five that are left, though only two of nine that were there";
    for (int at : {0, 7, 8}) EXPECT_EQ(whole(points[static_cast<size_t>(at)]).pages, kBlocks);
}

// A clock that was ahead.
TEST_F(GiveBackTest, NothingWaitsForATimeThatWasWrong) {
    auto points = rounds(9);
    uint64_t before = allocated(log_, 0, false);
    thin({points[1].id}, kNow + std::chrono::hours{2});
    thin({}, kNow);
    EXPECT_EQ(allocated(log_, 0, false), before);
    thin({}, kNow + GiveBackLimits().longest_wait);
    EXPECT_LE(allocated(log_, 0, false), before - kRound + kOfTheFileSystem);
}

TEST_F(GiveBackTest, SmallHolesWaitForTheirNeighbours) {
    auto points = rounds(2);
    for (uint32_t block = 0; block < kBlocks; ++block)
        if (block % 4 != 0) write(kFile, block, 3);
    points.push_back(seal());
    seal();
    uint64_t before = allocated(log_, 0, false);
    // Of the first round all goes, of the second three of four.
    thin({points[0].id, points[1].id}, kNow);
    EXPECT_LE(allocated(log_, 0, false), before - kRound + kOfTheFileSystem);
    EXPECT_GT(allocated(log_, 0, false), before - kRound - kOfTheFileSystem);
    thin({}, kNow + GiveBackLimits().longest_wait);
    EXPECT_LE(allocated(log_, 0, false), before - kRound * 7 / 4 + kOfTheFileSystem);
    EXPECT_EQ(read(0), 2);
    EXPECT_EQ(read(1), 3);
}

TEST_F(GiveBackTest, WhatIsNotInARestorePointYetStays) {
    auto points = rounds(3);
    for (uint32_t block = 0; block < kBlocks; ++block) write(kFile, block, 9);
    thin({points[0].id});
    for (uint32_t block = 0; block < kBlocks; ++block) ASSERT_EQ(read(block), 9);
    EXPECT_EQ(whole(seal()).pages, kBlocks);
}

// The restore point was listed, and another one made while the first was looked at.
TEST_F(GiveBackTest, ARestorePointMadeMeanwhileStaysWhole) {
    auto points = rounds(3);
    auto spans = good(version_spans(store_, good(store_.restore_points(1))));
    for (uint32_t block = 0; block < kBlocks; ++block) write(kFile, block, 4);
    RestorePoint meanwhile = seal();
    begin(&meanwhile);  // and it is what a new incarnation begins from
    for (uint32_t block = 0; block < 10; ++block) write(kFile, block, 5);
    RestorePoint last = seal();
    good(store_.collect_garbage(1, {{1, 1}, 1}, {points[0].id, points[1].id}));
    good(give_back_.run(store_, 1, spans, std::nullopt));
    EXPECT_EQ(whole(meanwhile).pages, kBlocks);
    EXPECT_EQ(whole(last).pages, kBlocks);
    EXPECT_EQ(read(3), 5);
    EXPECT_EQ(read(30), 4);
}

TEST_F(GiveBackTest, ADroppedFileGoesWithTheLastRestorePointThatListsIt) {
    for (uint32_t block = 0; block < kBlocks; ++block) write(kDropped, block, 7);
    auto points = rounds(1);
    uint64_t before = allocated(log_, 0, false);
    PageMap& map = running_->pages().map();
    map.unlink(map.find(kDropped));
    seal();
    thin({});
    EXPECT_EQ(allocated(log_, 0, false), before) << "the first restore point still lists it";
    seal();
    thin({points[0].id});
    EXPECT_LE(allocated(log_, 0, false), before - kRound + kOfTheFileSystem);
}

TEST_F(GiveBackTest, WhatAnIncarnationBeganFromStaysAndTheRestOfItsLogGoes) {
    auto points = rounds(2);
    LogId first = log_;
    begin(&points[1]);
    for (int round = 3; round <= 5; ++round) {
        for (uint32_t block = 0; block < kBlocks; ++block) write(kFile, block, round);
        seal();
    }
    uint64_t before = allocated(first, 0, false);
    thin({points[0].id});
    EXPECT_LE(allocated(first, 0, false), before - kRound + kOfTheFileSystem);
    EXPECT_EQ(whole(points[1]).pages, kBlocks) << "the second incarnation's record names it";
    EXPECT_EQ(read(0), 5);
}

// What a later look says of slots that are gone: nothing, unless a restore point shows them.
TEST_F(GiveBackTest, VerifyTellsWhatWasGivenBackFromWhatWasLost) {
    auto points = rounds(4);
    thin({points[1].id, points[2].id});
    Verifier verifier(store_.disk(), store_.root());
    for (const RestorePoint* point : {&points[0], &points[3]}) {
        for (const IndexRef& ref : point->indexes) {
            const IndexFindings* found = good(verifier.index(ref));
            EXPECT_FALSE(found->unreadable.has_value());
            EXPECT_EQ(found->damaged_count, 0u);
        }
        EXPECT_TRUE(good(verifier.shown_by(*point)).empty());
    }
    EXPECT_TRUE(verifier.unshown().empty());
    // A page of the newest is lost in the same way.
    auto file = good(sys::File::open(
        store_.disk(), segment_path(store_.root().c_str(), log_, 0, false).text, O_RDWR));
    ASSERT_EQ(store_.disk().punch(file.fd(), 3 * kRound, kBlockBytes), 0);
    Verifier again(store_.disk(), store_.root());
    for (const IndexRef& ref : points[3].indexes) good(again.index(ref));
    EXPECT_EQ(good(again.shown_by(points[3])).size(), 1u);
}

}  // namespace
}  // namespace tarn::store
