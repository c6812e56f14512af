// What a history costs, and what of it is pinned, counted by hand.
#include "compute/history_cost.h"

#include <gtest/gtest.h>

#include "store/format.h"

namespace tarn::compute {
namespace {

using std::chrono::seconds;

uint64_t pages(uint64_t count) {
    return count * store::kBlockBytes;
}

// Four restore points of lineage 1, and versions by the stretch of those that show them.
MeasuredHistory history() {
    MeasuredHistory history;
    for (uint32_t number = 1; number <= 4; ++number) {
        history.ids.push_back({{1, 1}, number});
        history.points.push_back({Time{seconds{number}}, seconds{number * number}, false});
        history.stays.push_back(true);
    }
    history.stretches = {
        {{0, 0}, pages(10)}, {{0, 1}, pages(200)}, {{1, 1}, pages(3000)}, {{1, 2}, pages(40000)}};
    return history;
}

TEST(HistoryCost, IsWhatOnlyOlderRestorePointsShow) {
    HistoryCost cost = cost_of(history(), {});
    EXPECT_EQ(cost.restore_points, 4u);
    EXPECT_EQ(cost.version_bytes, pages(43210));
    EXPECT_EQ(cost.replay_max, seconds{7});
    EXPECT_EQ(cost.pinned_bytes, 0u);
    EXPECT_TRUE(cost.pins.empty());
}

TEST(HistoryCost, OfWhatWasThinnedOnlyWhatOthersShowToo) {
    MeasuredHistory thinned = history();
    thinned.stays[1] = false;
    HistoryCost cost = cost_of(thinned, {});
    EXPECT_EQ(cost.restore_points, 3u);
    EXPECT_EQ(cost.version_bytes, pages(40210));
    EXPECT_EQ(cost.replay_max, seconds{8});
}

TEST(HistoryCost, APinCostsWhatItAloneShows) {
    MeasuredHistory measured = history();
    HistoryCost cost = cost_of(measured, {{measured.ids[1], {7, 8}}});
    ASSERT_EQ(cost.pins.size(), 1u);
    EXPECT_EQ(cost.pins[0].by, (std::vector<LineageId>{"0000000000000007", "0000000000000008"}));
    EXPECT_EQ(cost.pins[0].taken, Time{seconds{2}});
    EXPECT_EQ(cost.pins[0].bytes, pages(3000));
    EXPECT_EQ(cost.pinned_bytes, pages(3000));
    // Two of them show together what neither would free alone.
    cost = cost_of(measured, {{measured.ids[1], {7}}, {measured.ids[2], {9}}});
    ASSERT_EQ(cost.pins.size(), 2u);
    EXPECT_EQ(cost.pins[0].bytes + cost.pins[1].bytes, pages(3000));
    EXPECT_EQ(cost.pinned_bytes, pages(43000));
    // What is thinned around a pin comes to it.
    measured.stays[0] = measured.stays[2] = false;
    cost = cost_of(measured, {{measured.ids[1], {7}}});
    EXPECT_EQ(cost.pins[0].bytes, pages(43200));
    EXPECT_EQ(cost.version_bytes, pages(43200));
}

TEST(HistoryCost, ARestartOfItsOwnIsNamedAndNobodyElses) {
    MeasuredHistory measured = history();
    HistoryCost cost = cost_of(measured, {{measured.ids[1], {1}}});
    ASSERT_EQ(cost.pins.size(), 1u);
    EXPECT_EQ(cost.pins[0].bytes, pages(3000));
    EXPECT_EQ(cost.pinned_bytes, 0u);
}

TEST(HistoryCost, TheNewestCostsNothingYet) {
    MeasuredHistory measured = history();
    HistoryCost cost = cost_of(measured, {{measured.ids[3], {7}}});
    ASSERT_EQ(cost.pins.size(), 1u);
    EXPECT_EQ(cost.pins[0].bytes, 0u);
}

}  // namespace
}  // namespace tarn::compute
