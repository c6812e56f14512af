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
        return thin(points, stretches_of(spans), kNow, limits, size);
    }
    static long count(const Thinned& thinned, size_t from, size_t until) {
        return std::count(thinned.stays.begin() + static_cast<ptrdiff_t>(from),
                          thinned.stays.begin() + static_cast<ptrdiff_t>(until), true);
    }

    std::vector<HistoryPoint> points;
    store::VersionSpans spans;
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
    EXPECT_GE(found.bytes, size / 4 * 3) << "no more than it must";
    EXPECT_GT(count(found, 120, 180), 2 * count(found, 0, 60));
    EXPECT_GT(found.replay_max, seconds{8});
}

TEST_F(ThinningTest, TheFirstTheNewestAndWhatIsNeededStay) {
    make(180, 100);
    points[77].needed = true;
    Thinned found = thinned(0);
    EXPECT_TRUE(found.stays[0]);
    EXPECT_TRUE(found.stays[77]);
    EXPECT_TRUE(found.stays[179]);
    EXPECT_EQ(count(found, 0, 180), 3);
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
        Thinned second = thin(left, stretches_of(seen), kNow, limits, size);
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
    uint64_t size = 40 * 100 * uint64_t{store::kBlockBytes};
    for (int slot = 0; slot < 1000; ++slot) add(0, 0);
    EXPECT_LE(thinned(size).bytes, size);
    for (int slot = 0; slot < 100'000; ++slot) add(0, 0);
    Thinned found = thinned(size);
    EXPECT_GT(count(found, 121, 180), 10);
    EXPECT_LE(found.bytes, 101'100 * uint64_t{store::kBlockBytes} + size / 2);
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
}

TEST_F(ThinningTest, NothingIsThinnedOfTwoOrNone) {
    EXPECT_TRUE(thinned(0).stays.empty());
    make(2, 100);
    EXPECT_EQ(count(thinned(0), 0, 2), 2);
}

}  // namespace
}  // namespace tarn::compute
