// Which restore points go, by age and by what they cost.
#include "compute/thinning.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tarn::compute {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Time kNow{hours{24 * 365 * 56}};

// One restore point a minute up to now, each a second of replay behind the one before, and with so
// many page versions that only it shows.
struct ThinningTest : testing::Test {
    void make(uint32_t count, uint32_t versions_each) {
        for (uint32_t at = 0; at < count; ++at) {
            points.push_back({kNow - minutes{count - 1 - at}, seconds{at}, false});
            spans.points.push_back({{1, 1}, at + 1});
            for (uint32_t slot = 0; slot < versions_each; ++slot) add(at, at);
        }
    }
    void add(uint32_t first, uint32_t last) {
        spans.spans.push_back({.incarnation = 1, .first = first, .last = last});
    }
    Thinned thinned(uint64_t size) const {
        return thin(points, stretches_of(spans), {opens, kNow}, limits, size);
    }
    static long count(const Thinned& thinned, size_t from, size_t until) {
        return std::count(thinned.stays.begin() + static_cast<ptrdiff_t>(from),
                          thinned.stays.begin() + static_cast<ptrdiff_t>(until), true);
    }

    static std::vector<size_t> left_of(const Thinned& thinned) {
        std::vector<size_t> left;
        for (size_t at = 0; at < thinned.stays.size(); ++at)
            if (thinned.stays[at]) left.push_back(at);
        return left;
    }

    std::vector<HistoryPoint> points;
    store::VersionSpans spans;
    Time opens = kNow - hours{24};
    HistoryLimits limits{.budget_least = 0};
    static constexpr uint64_t kPlenty = uint64_t{1} << 40;
};

TEST_F(ThinningTest, YoungOnesStayAndOldOnesLieAsFarApartAsTheyMay) {
    make(180, 1);
    Thinned found = thinned(kPlenty);
    EXPECT_EQ(count(found, 121, 180), 59) << "younger than an hour";
    EXPECT_EQ(count(found, 0, 120), 15) << "8 s of replay apart";
    EXPECT_EQ(found.replay_max, seconds{8});
    EXPECT_EQ(found.bytes, (15 + 60 - 1) * store::kBlockBytes);
}

TEST_F(ThinningTest, TheBudgetThinsTheOldestMost) {
    make(180, 100);
    uint64_t size = 40 * 100 * store::kBlockBytes;
    Thinned found = thinned(size);
    EXPECT_LE(found.bytes, size);
    EXPECT_GT(found.bytes, size - 100 * store::kBlockBytes) << "there is no room for another";
    EXPECT_GT(count(found, 120, 180), 2 * count(found, 0, 60));
    EXPECT_GT(found.replay_max, seconds{8});
}

TEST_F(ThinningTest, TheFirstTheNewestAndWhatIsNeededStay) {
    make(180, 100);
    points[77].needed = true;
    EXPECT_EQ(left_of(thinned(0)), (std::vector<size_t>{0, 77, 179}));
}

// What is left of one round is what the next one begins with.
TEST_F(ThinningTest, AnotherRoundThinsNoFurther) {
    for (uint64_t size : {kPlenty, 40 * 100 * uint64_t{store::kBlockBytes}}) {
        points.clear();
        spans = {};
        make(180, 100);
        Thinned first = thinned(size);
        std::vector<HistoryPoint> left;
        store::VersionSpans seen;
        for (uint32_t at = 0; at < points.size(); ++at) {
            if (!first.stays[at]) continue;
            auto place = static_cast<uint32_t>(left.size());
            left.push_back(points[at]);
            seen.points.push_back(spans.points[at]);
            for (const store::VersionSpan& span : spans.spans)
                if (span.first == at) seen.spans.push_back({.first = place, .last = place});
        }
        Thinned second = thin(left, stretches_of(seen), {opens, kNow}, limits, size);
        EXPECT_EQ(count(second, 0, left.size()), static_cast<long>(left.size()));
    }
}

// A snapshot of long ago costs what it costs: young moments stay as quick to open as they were.
TEST_F(ThinningTest, WhatMustStayDoesNotCountAgainstTheBudget) {
    make(180, 100);
    points[5].needed = true;
    for (int slot = 0; slot < 100'000; ++slot) add(5, 5);
    uint64_t size = 40 * 100 * store::kBlockBytes;
    EXPECT_GT(count(thinned(size), 121, 180), 20);
}

TEST_F(ThinningTest, TheOldestCountsButLeavesHalfOfTheBudget) {
    make(180, 100);
    points[0].needed = true;  // behind the window: a branch of then
    points[3].oldest = true;
    uint64_t size = 40 * 100 * uint64_t{store::kBlockBytes};
    for (int slot = 0; slot < 1000; ++slot) add(1, 3);
    Thinned found = thinned(size);
    EXPECT_TRUE(found.stays[3]);
    EXPECT_LE(found.bytes, size + 100 * store::kBlockBytes);
    for (int slot = 0; slot < 100'000; ++slot) add(3, 3);
    found = thinned(size);
    EXPECT_TRUE(found.stays[3]);
    EXPECT_GT(count(found, 121, 180), 10);
    EXPECT_LE(found.bytes, 101'200 * uint64_t{store::kBlockBytes} + size / 2);
}

// Where nothing may be spent, only anchors are left between the first and the newest.
TEST_F(ThinningTest, NoGapIsLongerThanHalfOfTheWindow) {
    make(180, 100);
    opens = kNow - minutes{120};
    EXPECT_EQ(left_of(thinned(0)), (std::vector<size_t>{0, 60, 120, 179}));
}

TEST_F(ThinningTest, AClockThatWasSetBackHidesNoGap) {
    make(180, 100);
    opens = kNow - minutes{120};
    points[10].taken = points[11].taken = kNow + hours{24 * 365};
    EXPECT_EQ(left_of(thinned(0)), (std::vector<size_t>{0, 9, 10, 11, 72, 132, 179}));
}

TEST_F(ThinningTest, AVersionThatManyShowCostsOnce) {
    make(10, 0);
    add(2, 6);
    add(2, 9);  // the newest shows it too
    EXPECT_EQ(thinned(kPlenty).bytes, store::kBlockBytes);
}

TEST_F(ThinningTest, AVersionCostsWhatItTakesOnDisk) {
    make(10, 1);
    for (store::VersionSpan& span : spans.spans) span.bytes = 1024;
    add(0, 8);
    EXPECT_EQ(thinned(kPlenty).bytes, 9 * 1024 + store::kBlockBytes);
}

TEST_F(ThinningTest, AFullDiskLeavesLess) {
    make(180, 100);
    uint64_t size = 40 * 100 * store::kBlockBytes;
    Thinned before = thinned(size);
    limits = for_a_full_disk(limits);
    Thinned after = thinned(size);
    EXPECT_LT(after.bytes, before.bytes / 2);
    EXPECT_TRUE(after.stays.front() && after.stays.back());
    EXPECT_FALSE(limits.waits) << "for more to give back";
}

TEST_F(ThinningTest, NothingIsThinnedOfTwoOrNone) {
    EXPECT_TRUE(thinned(0).stays.empty());
    make(2, 100);
    EXPECT_EQ(count(thinned(0), 0, 2), 2);
}

}  // namespace
}  // namespace tarn::compute
