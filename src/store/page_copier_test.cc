// Copies against everybody else: in real files and in a simulated disk.
#include "store/page_copier.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <numeric>
#include <optional>
#include <thread>

#include "store/file_changes.h"
#include "store/give_back.h"
#include "store/lineage.h"
#include "store/paths.h"
#include "store/slot_scan.h"
#include "store/test_directory.h"
#include "store/verify.h"
#include "sys/randomness.h"
#include "sys/sim_disk.h"

namespace tarn::store {
namespace {

constexpr FileId kFile{1, 10};

std::vector<uint32_t> first_blocks(uint32_t count) {
    std::vector<uint32_t> blocks(count);
    std::iota(blocks.begin(), blocks.end(), 0);
    return blocks;
}

// Lineage 1 with one running incarnation.
struct PageCopierTest : testing::Test {
    PageCopierTest() {
        good(store_.create_lineage({1, {}, {}}));
        log_ = good(store_.begin_incarnation(1));
        good(store_.create_map(log_, nullptr));
        good(store_.finish_incarnation({log_, {}, {}}));
        mapped_.emplace(good(MappedMap::open(store_.root(), log_)));
        pages_.emplace(store_.disk(), mapped_->map());
    }
    ~PageCopierTest() override { pages_->close_descriptors(); }

    FileEntry* file(FileId id = kFile) {
        bool created;
        int failure;
        return pages_->map().find_or_create(id, &created, &failure);
    }
    void write(uint32_t block, char fill) {
        std::string page(kBlockBytes, fill);
        const void* data = page.data();
        ASSERT_EQ(pages_->write(file(), block, &data, 1), 0);
        pages_->map().grow_length(file(), block + 1);
    }
    // In an order that leaves no two neighbours together.
    void scatter(char fill) {
        for (uint32_t i = 0; i < kBlocks; ++i) write(i * 37 % kBlocks, fill);
    }
    std::string read(uint32_t block) {
        std::string page(kBlockBytes, '?');
        void* data = page.data();
        EXPECT_EQ(pages_->read(file(), block, &data, 1), 0);
        return page;
    }
    uint64_t slot_of(uint32_t block) { return pages_->map().lookup(file(), block).location.slot(); }
    uint32_t copy_all() { return good(PageCopier(*pages_).copy(file(), first_blocks(kBlocks))); }
    RestorePoint seal() {
        EXPECT_EQ(pages_->seal("control", 7, 1), 0);
        ControlBuffer control;
        pages_->map().read_control(&control);
        RestorePoint point = good(
            store_.index_seal(log_, previous_ ? &*previous_ : nullptr, nullptr, control.seal_slot));
        add_live_files(point, pages_->map());
        good(save(store_.disk(), store_.root().c_str(), point));
        previous_ = point;
        return point;
    }
    void keep_newest_two(GiveBack& give_back) {
        auto spans = good(version_spans(store_, good(store_.restore_points(1))));
        good(store_.collect_garbage(1));
        good(give_back.run(store_, 1, spans, std::nullopt));
    }
    PointReader reader(const RestorePoint& point) {
        return good(PointReader::load(store_.disk(), store_.root(), point));
    }

    static constexpr uint32_t kBlocks = 100;
    TestDirectory directory_;
    Store store_ = good(Store::open(sys::real_disk(), directory_.path() + "/store"));
    LogId log_;
    std::optional<MappedMap> mapped_;
    std::optional<PageLog> pages_;
    std::optional<RestorePoint> previous_;
};

TEST_F(PageCopierTest, BlocksLieOneAfterAnotherAndReadAsBefore) {
    scatter('a');
    EXPECT_EQ(copy_all(), kBlocks);
    for (uint32_t block = 0; block < kBlocks; ++block) {
        EXPECT_EQ(slot_of(block), kBlocks + block);
        EXPECT_EQ(read(block), std::string(kBlockBytes, 'a'));
    }
    write(3, 'b');
    EXPECT_EQ(read(3), std::string(kBlockBytes, 'b'));
    RestorePoint point = seal();
    EXPECT_EQ(good(verify(store_.disk(), store_.root().c_str(), point)).pages, kBlocks);
    EXPECT_EQ(good(reader(point).find(point.files[0], 2))->slot, kBlocks + 2);
    EXPECT_EQ(good(reader(point).find(point.files[0], 3))->slot, 2 * kBlocks);
}

TEST_F(PageCopierTest, WhatCopiesWereMadeOfGoesWithTheLastRestorePointThatShowsIt) {
    scatter('a');
    seal();
    copy_all();
    GiveBack give_back;
    for (int round = 0; round < 3; ++round) {
        for (uint32_t block = 0; block < kBlocks; ++block)
            ASSERT_EQ(read(block), std::string(kBlockBytes, 'a')) << "round " << round;
        RestorePoint point = seal();
        EXPECT_EQ(good(verify(store_.disk(), store_.root().c_str(), point)).pages, kBlocks);
        keep_newest_two(give_back);
    }
    SlotReader slots(store_.disk(), store_.root());
    FileBirth birth{kFile, file()->birth.load()};
    EXPECT_TRUE(good(slots.is_gone({birth, 0, 0, log_, 0})));
    EXPECT_FALSE(good(slots.is_gone({birth, 0, 0, log_, kBlocks})));
}

// To a diff, a copy is what it was made of: also a copy of a copy.
TEST_F(PageCopierTest, ACopyIsNoChange) {
    scatter('a');
    PointReader before = reader(seal());
    copy_all();
    seal();
    copy_all();
    PointReader after = reader(seal());
    EXPECT_TRUE(good(file_changes(before, after)).empty());
    EXPECT_TRUE(good(file_changes(after, before)).empty());
    write(7, 'a');  // the same bytes, but written
    auto changes = good(file_changes(before, *std::make_unique<PointReader>(reader(seal()))));
    ASSERT_EQ(changes.size(), 1u);
    ASSERT_EQ(changes[0].blocks.size(), 1u);
    EXPECT_EQ(changes[0].blocks[0].begin, 7u);
    EXPECT_EQ(changes[0].changed, 0u);
}

// D3
TEST_F(PageCopierTest, DamageIsNotCopied) {
    scatter('a');
    sys::File pages = good(sys::File::open(
        store_.disk(), segment_path(store_.root().c_str(), log_, 0, false).text, O_RDWR));
    good(pages.write("x", 1, slot_of(5) * kBlockBytes + 100));
    uint64_t damaged = slot_of(5);
    EXPECT_EQ(copy_all(), kBlocks - 1);
    EXPECT_EQ(slot_of(5), damaged);
    EXPECT_EQ(slot_of(6), kBlocks + 5);
}

TEST_F(PageCopierTest, NothingIsCopiedToALogThatHasEnded) {
    scatter('a');
    good(store_.fence(log_));
    EXPECT_FALSE(PageCopier(*pages_).copy(file(), first_blocks(kBlocks)).ok());
    EXPECT_EQ(slot_of(5), 5u * 73 % kBlocks);  // 37 * 73 = 1 (mod 100)
}

// Writers, cuts, copies and seals at once; every restore point must show of every block something
// that was written not before the last write that was answered before its seal.
struct Racing : PageCopierTest {
    static constexpr uint32_t kFiles = 2, kRacing = 40;
    struct Block {
        std::atomic<uint64_t> began{0}, answered{0};
    };

    void write_and_cut(uint64_t number, uint64_t seed) {
        PageLog mine(store_.disk(), mapped_->map());
        FileEntry* entry = file({1, number});
        sys::SeededRandom random(seed);
        std::string page(kBlockBytes, '\0');
        const void* data = page.data();
        for (uint64_t round = 1; !over_; ++round) {
            // Not much faster than the copies come.
            for (uint64_t pass = passes_ + 1; round % 20 == 0 && passes_ < pass && !over_;)
                std::this_thread::yield();
            auto block = static_cast<uint32_t>(random.below(kRacing));
            if (random.one_in(50) && entry->length.load() > 1) {
                // A cut is a write of nothing: the blocks behind it are answered as 0.
                auto length = static_cast<uint32_t>(1 + random.below(entry->length.load() - 1));
                for (uint32_t at = length; at < kRacing; ++at) blocks_[number][at].answered = 0;
                ASSERT_EQ(mine.truncate(entry, length), 0);
                continue;
            }
            blocks_[number][block].began = round;
            std::memset(page.data(), static_cast<int>('a' + round % 26), page.size());
            std::memcpy(page.data(), &round, sizeof round);
            std::memcpy(page.data() + 8, &block, sizeof block);
            ASSERT_EQ(mine.write(entry, block, &data, 1), 0);
            mine.map().grow_length(entry, block + 1);
            blocks_[number][block].answered = round;
        }
        mine.close_descriptors();
    }
    void copy_always() {
        PageLog mine(store_.disk(), mapped_->map());
        PageCopier copier(mine);
        for (; !over_; ++passes_)
            for (uint64_t number = 0; number < kFiles; ++number)
                copied_ += good(copier.copy(file({1, number}), first_blocks(kRacing)));
        mine.close_descriptors();
    }
    // Newer than `least`: what was answered when the seal began.
    void check(const RestorePoint& point, const std::vector<std::vector<uint64_t>>& least) {
        auto visit = [&](const FileRecord& record, uint32_t block, const void* page) {
            if (!page) return;  // cut, or never written
            uint64_t round = load(page, 0);
            EXPECT_EQ(load(page, 8) & UINT32_MAX, block);
            EXPECT_GE(round, least[record.id.lo][block]) << record.id.lo << "/" << block;
            EXPECT_LE(round, blocks_[record.id.lo][block].began.load());
        };
        good(verify(store_.disk(), store_.root().c_str(), point, visit));
    }
    static uint64_t load(const void* page, size_t at) {
        uint64_t word;
        std::memcpy(&word, static_cast<const char*>(page) + at, sizeof word);
        return word;
    }
    std::vector<std::vector<uint64_t>> answered() const {
        std::vector<std::vector<uint64_t>> rounds(kFiles, std::vector<uint64_t>(kRacing));
        for (uint64_t number = 0; number < kFiles; ++number)
            for (uint32_t block = 0; block < kRacing; ++block)
                rounds[number][block] = blocks_[number][block].answered;
        return rounds;
    }

    Block blocks_[kFiles][kRacing];
    std::atomic<bool> over_{false};
    std::atomic<uint64_t> copied_{0}, passes_{0};
};

TEST_F(Racing, CopiesNeverHideAWriteOrBringOneBack) {
    for (uint64_t number = 0; number < kFiles; ++number) file({1, number});
    std::vector<std::thread> threads;
    for (uint64_t number = 0; number < kFiles; ++number)
        threads.emplace_back([this, number] { write_and_cut(number, number); });
    threads.emplace_back([this] { copy_always(); });
    GiveBack give_back;
    for (int round = 0; round < 30; ++round) {
        auto least = answered();
        check(seal(), least);
        if (round % 5 == 0) keep_newest_two(give_back);
    }
    over_ = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(copied_, 500u);
    // What the map leads to is what the last restore point shows.
    RestorePoint last = seal();
    PointReader there = reader(last);
    for (const FileRecord& record : last.files)
        for (uint32_t block = 0; block < record.length; ++block) {
            Location location = pages_->map().lookup(file(record.id), block).location;
            auto shown = good(there.find(record, block));
            if (PageCopier::can_copy(location)) {
                ASSERT_TRUE(shown);
                EXPECT_EQ(shown->slot, location.slot());
            } else {
                EXPECT_FALSE(shown);
            }
        }
}

// A map in memory over a simulated disk.
struct PageCopierStepsTest : testing::Test {
    PageCopierStepsTest() {
        base_ = ::mmap(nullptr, kMapBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        good(sys::make_directories(disk_, incarnation_directory("/store", kLog).text,
                                   sys::SyncSite::lineage_directory));
        PageMap::format(base_, kLog, PageMap::header_bytes());
        map_ = PageMap(base_, {[](void*, uint64_t, uint64_t) { return 0; }, nullptr});
        std::strcpy(map_.header().store_root, "/store");
        log_.emplace(disk_, map_);
        bool created;
        int failure;
        file_ = map_.find_or_create(kFile, &created, &failure);
        std::string page(kBlockBytes, 'a');
        const void* pages[] = {page.data()};
        EXPECT_EQ(log_->write(file_, 0, pages, 1), 0);
    }
    ~PageCopierStepsTest() override { ::munmap(base_, kMapBytes); }

    bool has_header(uint64_t slot) {
        SlotHeader header{};
        auto file =
            good(sys::File::open(disk_, segment_path("/store", kLog, 0, true).text, O_RDONLY));
        good(file.read_some(&header, sizeof header, slot * sizeof header));
        return slot_state(header, kLog, slot) == SlotState::written;
    }

    static constexpr LogId kLog{1, 1};
    sys::SimDisk disk_{1};
    void* base_ = nullptr;
    PageMap map_;
    std::optional<PageLog> log_;
    FileEntry* file_ = nullptr;
};

// D1, P3
TEST_F(PageCopierStepsTest, NoHeaderBeforeTheMapLeadsToIt) {
    bool led_there_without = false;
    disk_.before_each_change([&] {
        bool leads = map_.lookup(file_, 0).location == Location::at(1, 1);
        EXPECT_TRUE(leads || !has_header(1));
        led_there_without = led_there_without || (leads && !has_header(1));
    });
    EXPECT_EQ(good(PageCopier(*log_).copy(file_, first_blocks(1))), 1u);
    disk_.before_each_change({});
    EXPECT_TRUE(led_there_without);
    EXPECT_TRUE(has_header(1));
}

// D2: whoever copied was killed between the map and the header.
TEST_F(PageCopierStepsTest, ACopyWithoutAHeaderIsNotCopied) {
    std::string page(kBlockBytes, 'a');
    good(good(sys::File::open(disk_, segment_path("/store", kLog, 0, false).text, O_RDWR))
             .write(page.data(), page.size(), kBlockBytes));
    map_.header().next_slot.store(2);
    ASSERT_TRUE(map_.move(file_, 0, Location::at(1, 0), Location::at(1, 1)));
    EXPECT_EQ(good(PageCopier(*log_).copy(file_, first_blocks(1))), 0u);
    void* pages[] = {page.data()};
    EXPECT_EQ(log_->read(file_, 0, pages, 1), 0);
    EXPECT_EQ(page, std::string(kBlockBytes, 'a'));
}

TEST_F(PageCopierStepsTest, AWriterThatWasFirstStaysAndTheSlotIsNobodys) {
    PageLog other(disk_, map_);
    bool written = false;
    disk_.before_each_change([&] {
        if (written || map_.header().next_slot.load() != 2) return;
        written = true;
        std::string page(kBlockBytes, 'b');
        const void* pages[] = {page.data()};
        EXPECT_EQ(other.write(file_, 0, pages, 1), 0);
    });
    EXPECT_EQ(good(PageCopier(*log_).copy(file_, first_blocks(1))), 0u);
    disk_.before_each_change({});
    EXPECT_EQ(map_.lookup(file_, 0).location, Location::at(1, 2));
    std::vector<uint64_t> holes;
    std::vector<SlotKind> kinds;
    good(scan_slots(disk_, "/store", kLog, 0, 3, holes,
                    [&](const SlotHeader& header) { kinds.push_back(header.kind); }));
    EXPECT_EQ(kinds, (std::vector{SlotKind::page, SlotKind::unused, SlotKind::page}));
    EXPECT_TRUE(holes.empty());
}

}  // namespace
}  // namespace tarn::store
