#include "store/compaction.h"

#include <gtest/gtest.h>

#include <numeric>
#include <optional>

#include "store/lineage.h"
#include "store/test_directory.h"

namespace tarn::store {
namespace {

using std::chrono::seconds;

struct CompactionTest : testing::Test {
    CompactionTest() {
        good(store_.create_lineage({1, {}, {}}));
        LogId log = good(store_.begin_incarnation(1));
        good(store_.create_map(log, nullptr));
        good(store_.finish_incarnation({log, {}, {}}));
        mapped_.emplace(good(MappedMap::open(store_.root(), log)));
        pages_.emplace(store_.disk(), mapped_->map());
        bool created;
        int failure;
        file_ = pages_->map().find_or_create({1, 10}, &created, &failure);
        compaction_.emplace(*pages_, seconds{10});
    }
    ~CompactionTest() override { pages_->close_descriptors(); }

    void write(uint32_t block, uint32_t count = 1) {
        std::string page(kBlockBytes, 'a');
        std::vector<const void*> data(count, page.data());
        ASSERT_EQ(pages_->write(file_, block, data.data(), count), 0);
        pages_->map().grow_length(file_, block + count);
    }
    // With other blocks behind it, so that what is written next lies far from it.
    void write_alone(uint32_t block) {
        write(block);
        write_others();
    }
    void write_others() {
        write(others_, 8);
        others_ += 8;
    }
    uint64_t round(int at_s) {
        return good(compaction_->round(Compaction::Clock::time_point(seconds{at_s}), allow_));
    }
    std::vector<uint32_t> scattered(uint32_t begin, uint32_t end) {
        return scattered_blocks(pages_->map(), file_, begin, end);
    }

    TestDirectory directory_;
    Store store_ = good(Store::open(sys::real_disk(), directory_.path() + "/store"));
    std::optional<MappedMap> mapped_;
    std::optional<PageLog> pages_;
    FileEntry* file_ = nullptr;
    uint32_t others_ = 50000;
    std::optional<Compaction> compaction_;
    Compaction::Allow allow_ = [](uint32_t) { return true; };
};

TEST_F(CompactionTest, AStretchIsCopiedOnceItIsCalmAndThenLeftAlone) {
    write(0, 100);
    write_others();
    for (uint32_t block = 0; block < 250; block += 10) {
        write_alone(block);
        write_alone(2 * kStretchBlocks + block);
    }
    EXPECT_EQ(round(0), 0u);
    EXPECT_EQ(round(9), 0u);
    write_alone(50);
    EXPECT_EQ(round(11), 25u) << "only the one that was not written meanwhile";
    EXPECT_EQ(round(20), 0u);
    EXPECT_EQ(round(21), 25u);
    uint64_t slots = pages_->map().header().next_slot.load();
    for (int at : {22, 40, 60, 80}) EXPECT_EQ(round(at), 0u);
    EXPECT_EQ(pages_->map().header().next_slot.load(), slots);
}

TEST_F(CompactionTest, LargePiecesStayAndFewSmallOnesToo) {
    write(0, kStretchBlocks);
    write_others();
    EXPECT_TRUE(scattered(0, kStretchBlocks).empty());
    // The rest stays one piece with small gaps.
    for (uint32_t i = 0; i < 15; ++i) write_alone(i * 17);
    EXPECT_TRUE(scattered(0, kStretchBlocks).empty());
    write_alone(15 * 17);
    auto blocks = scattered(0, kStretchBlocks);
    ASSERT_EQ(blocks.size(), 16u);
    for (uint32_t i = 0; i < 16; ++i) EXPECT_EQ(blocks[i], i * 17);
    round(0);
    EXPECT_EQ(round(10), 16u);
    EXPECT_TRUE(scattered(0, kStretchBlocks).empty());
}

// A third of the blocks lies elsewhere: the rest is near each other, but a disk reads each run.
TEST_F(CompactionTest, PiecesFullOfGapsAreCopied) {
    write(0, kStretchBlocks);
    write_others();
    for (uint32_t block = 0; block < kStretchBlocks; block += 3) write(block);
    write_others();
    EXPECT_EQ(scattered(0, kStretchBlocks).size(), kStretchBlocks - 86u);
    round(0);
    round(10);
    EXPECT_TRUE(scattered(0, kStretchBlocks).empty());
}

TEST_F(CompactionTest, ARoundEndsWhenItIsNotAllowedMoreAndTheNextOneGoesOn) {
    for (uint32_t i = 0; i < 400; ++i) write_alone(i * 37 % 400);
    round(0);
    uint32_t left = 2 * PageCopier::kBlocksMax;
    allow_ = [&](uint32_t pages) {
        if (pages > left) return false;
        left -= pages;
        return true;
    };
    uint64_t copied = round(10);
    EXPECT_EQ(copied, 2u * PageCopier::kBlocksMax);
    left = UINT32_MAX;
    EXPECT_EQ(round(11), 400u - copied);
    EXPECT_TRUE(scattered(0, 400).empty());
}

}  // namespace
}  // namespace tarn::store
