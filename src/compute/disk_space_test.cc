#include "compute/disk_space.h"

#include <gtest/gtest.h>

namespace tarn::compute {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;

DiskState state_of(uint64_t total, uint64_t free, DiskState before = DiskState::enough) {
    return judge_disk(total, free, {}, before).state;
}

TEST(DiskSpace, LimitsFitTheDisk) {
    struct Case {
        uint64_t total, low, critical;
    };
    for (const Case& each :
         {Case{kGiB, 256 * kMiB, 128 * kMiB}, Case{10 * kGiB, kGiB, 512 * kMiB},
          Case{100 * kGiB, 5 * kGiB, 2 * kGiB}, Case{10'000 * kGiB, 32 * kGiB, 8 * kGiB}}) {
        DiskSpace space = judge_disk(each.total, each.total, {}, DiskState::enough);
        EXPECT_EQ(space.low, each.low) << each.total;
        EXPECT_EQ(space.critical, each.critical) << each.total;
        EXPECT_EQ(space.state, DiskState::enough);
    }
}

TEST(DiskSpace, ASmallDiskCanBeUsed) {
    EXPECT_EQ(state_of(kGiB, 300 * kMiB), DiskState::enough);
    EXPECT_EQ(state_of(kGiB, 255 * kMiB), DiskState::low);
    EXPECT_EQ(state_of(kGiB, 127 * kMiB), DiskState::critical);
    EXPECT_EQ(state_of(kGiB, 0), DiskState::critical);
}

// What goes and comes at a limit must not make computes turn to and fro.
TEST(DiskSpace, AStateIsLeftWithSomeMoreRoom) {
    EXPECT_EQ(state_of(kGiB, 130 * kMiB, DiskState::low), DiskState::low);
    EXPECT_EQ(state_of(kGiB, 130 * kMiB, DiskState::critical), DiskState::critical);
    EXPECT_EQ(state_of(kGiB, 144 * kMiB, DiskState::critical), DiskState::low);
    EXPECT_EQ(state_of(kGiB, 280 * kMiB, DiskState::low), DiskState::low);
    EXPECT_EQ(state_of(kGiB, 280 * kMiB, DiskState::critical), DiskState::low);
    EXPECT_EQ(state_of(kGiB, 288 * kMiB, DiskState::low), DiskState::enough);
}

TEST(DiskSpace, ALimitOfZeroIsNeverMet) {
    DiskSpace space = judge_disk(kGiB, 0, {.low = 0, .critical = 0}, DiskState::enough);
    EXPECT_EQ(space.state, DiskState::enough);
    space = judge_disk(kGiB, 0, {.low = {}, .critical = 0}, DiskState::enough);
    EXPECT_EQ(space.state, DiskState::low);
}

TEST(DiskSpace, TheLimitsKeepTheirOrder) {
    EXPECT_EQ(judge_disk(kGiB, 0, {.low = kMiB, .critical = {}}, {}).critical, kMiB);
    EXPECT_EQ(judge_disk(kGiB, 0, {.low = {}, .critical = kGiB / 2}, {}).low, kGiB / 2);
}

TEST(DiskSpace, AFileSystemIsAsked) {
    DiskSpace space = DiskWatch("/", {.low = ~uint64_t{0} / 2, .critical = 0}).look();
    EXPECT_GT(space.total, space.free);
    EXPECT_EQ(space.state, DiskState::low);
    EXPECT_EQ(DiskWatch("/nowhere", {}).look().state, DiskState::enough);
}

}  // namespace
}  // namespace tarn::compute
