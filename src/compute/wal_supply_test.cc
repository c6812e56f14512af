#include "compute/wal_supply.h"

#include <gtest/gtest.h>

#include <memory>

#include "compute/opening.h"
#include "shim/protocol.h"
#include "store/paths.h"
#include "sys/files.h"
#include "sys/sim_disk.h"
#include "wal/wal_files.h"

namespace tarn::compute {
namespace {

using sys::SyncSite;

constexpr uint64_t kSegment = wal::kSegmentBytes;
constexpr store::LogId kLog{7, 1};

class WalSupplyTest : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = store::Store::open(disk_, "/store");
        ASSERT_TRUE(opened.ok()) << opened.error().text();
        store_ = std::make_unique<store::Store>(std::move(*opened));
        directory_ = incarnation_path(*store_, kLog) + "/" + store::kWalDirectory;
        ASSERT_TRUE(sys::make_directories(disk_, directory_, SyncSite::lineage_directory).ok());
        header_->state.store(store::LogState::live);
        header_->flushed_epoch.store(1);
        supply_ = WalSupply(*store_, kLog, Lsn{5 * kSegment + 100});
        supply_.prepare(*header_);
    }
    Result<void> keep(uint64_t newest) {
        segments().newest.store(newest);
        return supply_.keep(*header_);
    }
    shim::WalSegments& segments() { return shim::wal_segments(*header_); }
    bool is_there(uint64_t number) {
        return sys::exists(disk_, directory_ + "/" + wal::segment_name({1, number})).value();
    }

    sys::SimDisk disk_{1};
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<store::MapHeader> header_ = std::make_unique<store::MapHeader>();
    std::string directory_;
    WalSupply supply_;
};

TEST_F(WalSupplyTest, TwoAreAheadOnceTheFirstSegmentIsLeft) {
    EXPECT_EQ(segments().named.load(), 5u);
    ASSERT_TRUE(keep(5).ok());
    EXPECT_FALSE(is_there(6));
    ASSERT_TRUE(keep(6).ok());
    EXPECT_TRUE(is_there(7) && is_there(8));
    EXPECT_EQ(segments().named.load(), 8u);
    ASSERT_TRUE(keep(7).ok());
    EXPECT_TRUE(is_there(9));
    header_->flushed_position.store(7 * kSegment + 5000);
    supply_.end(*header_);
    EXPECT_TRUE(is_there(7));
    EXPECT_FALSE(is_there(8) || is_there(9));
}

// A segment's name need not be durable yet when nothing has been written to it.
TEST_F(WalSupplyTest, ABeginningAtASegmentsEndPromisesNothingOfTheNext) {
    header_ = std::make_unique<store::MapHeader>();
    WalSupply(*store_, kLog, Lsn{5 * kSegment}).prepare(*header_);
    EXPECT_EQ(segments().named.load(), 4u);
}

TEST_F(WalSupplyTest, AFailedSyncOfNamesPoisonsTheLog) {
    disk_.fail_sync(SyncSite::wal_ahead_directory, 1);
    EXPECT_FALSE(keep(6).ok());
    EXPECT_EQ(header_->state.load(), store::LogState::poisoned);
    EXPECT_EQ(segments().named.load(), 5u);
}

// PostgreSQL makes its own then.
TEST_F(WalSupplyTest, AfterAFullDiskItTriesAgainAtTheNextSegment) {
    disk_.limit_space(kSegment / 2);
    EXPECT_TRUE(keep(6).ok());
    EXPECT_FALSE(is_there(7));
    EXPECT_EQ(segments().named.load(), 5u);
    disk_.limit_space(10 * kSegment);
    EXPECT_TRUE(keep(7).ok());
    EXPECT_TRUE(is_there(8) && is_there(9));
    EXPECT_EQ(segments().named.load(), 9u);
}

}  // namespace
}  // namespace tarn::compute
