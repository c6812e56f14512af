#include "compute/ballast.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>

namespace tarn::compute {
namespace {

constexpr uint64_t kMiB = 1 << 20;

DiskSpace space(DiskState state, uint64_t free, uint64_t total = 1024 * kMiB) {
    return {.state = state, .total = total, .free = free, .low = 0, .critical = 0};
}

class BallastTest : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/tarn-ballast-XXXXXX";
        directory_ = ::mkdtemp(name);
        path_ = directory_ + "/ballast";
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    // That the disk has given to it.
    uint64_t bytes() const {
        struct stat status {};
        return ::stat(path_.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512
                                                   : 0;
    }

    std::string directory_, path_;
};

TEST_F(BallastTest, TakesRoomWhereThereIsEnough) {
    Ballast ballast(path_);
    for (const DiskSpace& little :
         {space(DiskState::low, 500 * kMiB), space(DiskState::critical, 500 * kMiB),
          space(DiskState::enough, 40 * kMiB), space(DiskState::enough, 100 * kMiB, 128 * kMiB)}) {
        ASSERT_TRUE(ballast.fill(little).ok());
        EXPECT_EQ(bytes(), 0u);
    }
    ASSERT_TRUE(ballast.fill(space(DiskState::enough, 500 * kMiB)).ok());
    EXPECT_GE(bytes(), Ballast::kBytes);
}

TEST_F(BallastTest, MakesWayOnAFullDiskAndComesBack) {
    Ballast ballast(path_);
    auto plenty = space(DiskState::enough, 500 * kMiB);
    ASSERT_TRUE(ballast.fill(plenty).ok());
    ballast.make_way(space(DiskState::critical, Ballast::kBytes));
    EXPECT_GE(bytes(), Ballast::kBytes) << "there is room enough without it";
    ballast.make_way(space(DiskState::critical, Ballast::kBytes - 1));
    EXPECT_EQ(bytes(), 0u);
    ballast.make_way(space(DiskState::critical, 0));
    ASSERT_TRUE(ballast.fill(plenty).ok());
    EXPECT_GE(bytes(), Ballast::kBytes);
}

TEST_F(BallastTest, ThatOfAnEarlierServerMakesWayToo) {
    ASSERT_TRUE(Ballast(path_).fill(space(DiskState::enough, 500 * kMiB)).ok());
    Ballast next(path_);
    next.make_way(space(DiskState::critical, 0));
    EXPECT_EQ(bytes(), 0u);
}

}  // namespace
}  // namespace tarn::compute
