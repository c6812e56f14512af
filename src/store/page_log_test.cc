#include "store/page_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>

#include "store/paths.h"

namespace tarn::store {
namespace {

constexpr LogId kLog{0xabc, 1};
constexpr FileId kFile{1, 2};

std::string page_of(uint32_t seed) {
    std::minstd_rand random(seed + 1);
    std::string page(kBlockBytes, '\0');
    for (char& byte : page) byte = static_cast<char>(random() >> 8);
    return page;
}

const std::string kZeroPage(kBlockBytes, '\0');

// A log in a directory of its own, with its map in anonymous memory.
class PageLogTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = testing::TempDir() + "page_log.XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root_ = name;
        std::filesystem::create_directories(incarnation_directory(root_.c_str(), kLog).text);
        base_ = ::mmap(nullptr, kMapBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT_NE(base_, MAP_FAILED);
        PageMap::format(base_, kLog, PageMap::header_bytes());
        map_ = PageMap(base_, {[](void*, uint64_t, uint64_t) { return 0; }, nullptr});
        std::strcpy(map_.header().store_root, root_.c_str());
    }
    void TearDown() override {
        ::munmap(base_, kMapBytes);
        std::filesystem::remove_all(root_);
    }

    PageLog log() { return PageLog(sys::real_disk(), map_); }
    FileEntry* file() {
        bool created;
        int failure;
        return map_.find_or_create(kFile, &created, &failure);
    }
    int write(PageLog& log, uint32_t block, const std::string& page) {
        const void* pages[] = {page.data()};
        return log.write(file(), block, pages, 1);
    }
    // Block i into segment i * apart.
    void write_each_in_its_segment(PageLog& log, uint32_t count, uint64_t apart) {
        for (uint32_t i = 0; i < count; ++i) {
            uint64_t slot = i * apart * kSlotsPerSegment;
            map_.header().next_slot = slot;
            map_.header().allocated_slots = slot;
            ASSERT_EQ(write(log, i, page_of(i)), 0) << i;
        }
    }
    std::string read(PageLog& log, uint32_t block) {
        std::string page(kBlockBytes, '?');
        void* pages[] = {page.data()};
        int result = log.read(file(), block, pages, 1);
        return result < 0 ? "error " + std::to_string(result) : page;
    }
    void damage(uint64_t slot) {
        int fd = ::open(segment_path(root_.c_str(), kLog, slot / kSlotsPerSegment, false), O_RDWR);
        char byte;
        auto place = static_cast<off_t>(slot % kSlotsPerSegment * kBlockBytes + 4000);
        ASSERT_EQ(::pread(fd, &byte, 1, place), 1);
        byte = static_cast<char>(byte ^ 1);
        ASSERT_EQ(::pwrite(fd, &byte, 1, place), 1);
        ::close(fd);
    }

    std::string root_;
    void* base_ = nullptr;
    PageMap map_;
};

TEST_F(PageLogTest, TheNewestVersionIsReadAndUnwrittenBlocksAreZeros) {
    PageLog one = log();
    ASSERT_EQ(write(one, 7, page_of(1)), 0);
    ASSERT_EQ(write(one, 7, page_of(2)), 0);
    PageLog other = log();  // another process
    EXPECT_EQ(read(other, 7), page_of(2));
    EXPECT_EQ(read(other, 6), kZeroPage);
    EXPECT_EQ(map_.header().next_slot.load(), 2u);
}

TEST_F(PageLogTest, EveryBlockNumberHasAPlaceOfItsOwn) {
    PageLog one = log();
    std::map<uint32_t, uint32_t> written;
    for (uint32_t block : {0u, 1u, 63u, 64u, 65u, 4095u, 4096u, 4097u, 8191u, 131071u, 262143u}) {
        ASSERT_EQ(write(one, block, page_of(block)), 0) << block;
        written[block] = block;
    }
    for (auto [block, seed] : written) EXPECT_EQ(read(one, block), page_of(seed)) << block;
    const void* page[] = {kZeroPage.data()};
    EXPECT_EQ(one.write(file(), kMaxBlocks, page, 1), -EFBIG);
}

TEST_F(PageLogTest, LongRunsCrossBatchesAndSegments) {
    map_.header().next_slot.store(kSlotsPerSegment - 50);
    map_.header().allocated_slots.store(kSlotsPerSegment - 50);
    constexpr uint32_t kCount = 150;
    std::vector<std::string> pages;
    std::vector<const void*> pointers;
    for (uint32_t i = 0; i < kCount; ++i) pages.push_back(page_of(i));
    for (auto& page : pages) pointers.push_back(page.data());
    PageLog one = log();
    ASSERT_EQ(one.write(file(), 40, pointers.data(), kCount), 0);
    std::vector<std::string> got(kCount, std::string(kBlockBytes, '?'));
    std::vector<void*> into;
    for (auto& page : got) into.push_back(page.data());
    ASSERT_EQ(one.read(file(), 40, into.data(), kCount), 0);
    EXPECT_EQ(got, pages);
    ASSERT_EQ(one.sync_all(), 0);
}

TEST_F(PageLogTest, MoreSegmentsAreReadThanTheProcessMayHaveOpen) {
    constexpr uint32_t kSegments = 40;
    PageLog writer = log(), reader = log();
    write_each_in_its_segment(writer, kSegments, 1);
    writer.close_descriptors();
    rlimit before;
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = ::open("/dev/null", O_RDONLY);
    rlimit few{static_cast<rlim_t>(next) + 5, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int round = 0; round < 2; ++round)
        for (uint32_t i = 0; i < kSegments; ++i)
            EXPECT_EQ(read(reader, i), page_of(i)) << "round " << round << ", segment " << i;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ::close(next);
    reader.close_descriptors();
}

TEST_F(PageLogTest, SegmentsThatShareAPlaceAmongTheOpenOnesTakeTurns) {
    constexpr uint32_t kSegments = 6, kApart = 128;
    PageLog log = this->log();
    write_each_in_its_segment(log, kSegments, kApart);
    for (int round = 0; round < 2; ++round)
        for (uint32_t i = 0; i < kSegments; ++i) EXPECT_EQ(read(log, i), page_of(i)) << i;
    log.close_descriptors();
}

TEST_F(PageLogTest, ExtendingWithZerosTakesNoSlotButOverwritingWithZerosDoes) {
    PageLog one = log();
    ASSERT_EQ(write(one, 0, kZeroPage), 0);
    EXPECT_EQ(map_.header().next_slot.load(), 0u);
    ASSERT_EQ(write(one, 0, page_of(1)), 0);
    ASSERT_EQ(write(one, 0, kZeroPage), 0);
    EXPECT_EQ(map_.header().next_slot.load(), 2u);
    EXPECT_EQ(read(one, 0), kZeroPage);
}

TEST_F(PageLogTest, WhatWasCutOffComesBackAsZeros) {
    PageLog one = log();
    for (uint32_t block = 0; block < 200; ++block) {
        ASSERT_EQ(write(one, block, page_of(block)), 0);
        map_.grow_length(file(), block + 1);
    }
    ASSERT_EQ(one.truncate(file(), 70), 0);
    EXPECT_EQ(file()->length.load(), 70u);
    EXPECT_EQ(read(one, 69), page_of(69));
    EXPECT_EQ(read(one, 70), kZeroPage);
    EXPECT_EQ(read(one, 150), kZeroPage);
    uint64_t birth = file()->birth.load();
    ASSERT_EQ(one.truncate(file(), 0), 0);
    EXPECT_NE(file()->birth.load(), birth);
    EXPECT_EQ(read(one, 0), kZeroPage);
}

TEST_F(PageLogTest, AFileMadeAgainStartsEmpty) {
    PageLog one = log();
    ASSERT_EQ(write(one, 0, page_of(1)), 0);
    FileEntry* old = file();
    map_.unlink(old);
    EXPECT_EQ(map_.find(kFile), nullptr);
    EXPECT_EQ(read(one, 0), kZeroPage);
    EXPECT_NE(file(), old);
    EXPECT_NE(file()->birth.load(), old->birth.load());
}

TEST_F(PageLogTest, DamagedBytesAreAnErrorAndNeverServed) {
    PageLog one = log();
    ASSERT_EQ(write(one, 0, page_of(1)), 0);
    ASSERT_EQ(write(one, 1, page_of(2)), 0);
    damage(0);
    EXPECT_EQ(read(one, 0), "error -5");
    EXPECT_EQ(read(one, 1), page_of(2));
}

TEST_F(PageLogTest, AFencedOrPoisonedLogTakesNothingAnyMore) {
    PageLog one = log();
    ASSERT_EQ(write(one, 0, page_of(1)), 0);
    for (LogState state : {LogState::ended, LogState::poisoned}) {
        map_.header().state.store(state);
        EXPECT_EQ(write(one, 0, page_of(2)), -EIO);
        EXPECT_EQ(one.sync_all(), -EIO);
        EXPECT_EQ(one.sync_file(file()), -EIO);
        EXPECT_EQ(one.seal("x", 1, 5), -EIO);
        EXPECT_EQ(one.truncate(file(), 0), -EIO);
    }
    EXPECT_EQ(map_.header().next_slot.load(), 1u);
}

TEST_F(PageLogTest, ASyncedFileNeedsNoSecondSync) {
    PageLog one = log();
    ASSERT_EQ(write(one, 0, page_of(1)), 0);
    uint64_t before = map_.header().durable_ticks.load();
    ASSERT_EQ(one.sync_file(file()), 0);
    uint64_t after = map_.header().durable_ticks.load();
    EXPECT_LT(before, after);
    // Another file's write moves the log on, but not this file's last write.
    bool created;
    int failure;
    FileEntry* other = map_.find_or_create({9, 9}, &created, &failure);
    std::string page = page_of(3);
    const void* pages[] = {page.data()};
    ASSERT_EQ(one.write(other, 0, pages, 1), 0);
    ASSERT_EQ(one.sync_file(file()), 0);
    EXPECT_EQ(map_.header().durable_ticks.load(), after);
}

TEST_F(PageLogTest, ASealKeepsItsControlBytesAndItsPlace) {
    PageLog one = log();
    ASSERT_EQ(write(one, 0, page_of(1)), 0);
    ASSERT_EQ(one.seal("first", 5, 11), 0);
    ASSERT_EQ(write(one, 0, page_of(2)), 0);
    map_.write_control("later", 5, false, 0);
    ControlBuffer control;
    map_.read_control(&control);
    EXPECT_EQ(control.seal_number, 1u);
    EXPECT_EQ(control.seal_slot, 1u);
    EXPECT_EQ(std::memcmp(control.image, "later", 5), 0);
    EXPECT_EQ(map_.header().last_checkpoint, 11u);
}

}  // namespace
}  // namespace tarn::store
