// What a sync has answered for is there after a power loss, whatever other processes did meanwhile.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>

#include "store/page_log.h"
#include "store/paths.h"
#include "store/slot_scan.h"
#include "store/test_directory.h"
#include "sys/sim_disk.h"

namespace tarn::store {
namespace {

constexpr LogId kLog{1, 1};
constexpr const char* kRoot = "/store";

// A map in memory over a simulated disk, with two processes at it.
struct PageLogDurableTest : testing::Test {
    void SetUp() override {
        base = ::mmap(nullptr, kMapBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT_NE(base, MAP_FAILED);
    }
    void TearDown() override { ::munmap(base, kMapBytes); }

    PageMap make_map(sys::SimDisk& disk) {
        ::madvise(base, kMapBytes, MADV_DONTNEED);
        good(sys::make_directories(disk, incarnation_directory(kRoot, kLog).text,
                                   sys::SyncSite::lineage_directory));
        PageMap::format(base, kLog, PageMap::header_bytes());
        PageMap map(base, {[](void*, uint64_t, uint64_t) { return 0; }, nullptr});
        std::strcpy(map.header().store_root, kRoot);
        return map;
    }
    static FileEntry* file(PageMap& map, uint64_t number) {
        bool created;
        int failure;
        return map.find_or_create({1, number}, &created, &failure);
    }
    static int write(PageLog& log, FileEntry* to, char fill) {
        std::string page(kBlockBytes, fill);
        const void* pages[] = {page.data()};
        return log.write(to, 0, pages, 1);
    }
    static std::string read(PageLog& log, FileEntry* from) {
        std::string page(kBlockBytes, '?');
        void* pages[] = {page.data()};
        EXPECT_EQ(log.read(from, 0, pages, 1), 0);
        return page;
    }
    // A slot of the first segment whose header is there, and whose page is not what it says.
    static bool has_header_without_page(sys::SimDisk& disk, uint64_t slot) {
        SlotHeader header;
        std::string page(kBlockBytes, '?');
        auto slots = good(sys::File::open(disk, segment_path(kRoot, kLog, 0, true).text, O_RDONLY));
        good(slots.read(&header, sizeof header, slot * sizeof header));
        if (slot_state(header, kLog, slot) != SlotState::written) return false;
        auto pages =
            good(sys::File::open(disk, segment_path(kRoot, kLog, 0, false).text, O_RDONLY));
        good(pages.read(page.data(), page.size(), slot * kBlockBytes));
        return crc32c(0, page.data(), page.size()) != header.page_crc;
    }

    void* base = nullptr;
};

// One process has drawn the first slot of a segment whose files are not there yet; another syncs
// the directory before they are made. That sync must not count for their names.
TEST_F(PageLogDurableTest, ASegmentThatIsMadeDuringAnothersSyncGetsItsNameSyncedLater) {
    for (uint64_t seed = 0; seed < 40; ++seed) {
        sys::SimDisk disk(seed);
        PageMap map = make_map(disk);
        PageLog mine(disk, map), other(disk, map);
        constexpr uint64_t kLast = kSlotsPerSegment - 1;
        for (bool slots : {false, true})
            good(sys::File::open(disk, segment_path(kRoot, kLog, 0, slots).text, O_CREAT | O_RDWR));
        map.header().next_slot.store(kLast);
        map.header().allocated_slots.store(kLast);

        int others_steps = 0;
        disk.before_each_change([&] {
            uint64_t next = map.header().next_slot.load();
            if (others_steps == 0 && next == kLast) {
                ++others_steps;  // takes the last slot of the first segment
                ASSERT_EQ(write(other, file(map, 2), 'o'), 0);
            } else if (others_steps == 1 && next == kLast + 2) {
                ++others_steps;
                ASSERT_EQ(other.seal("", 0, 0), 0);
            }
        });
        ASSERT_EQ(write(mine, file(map, 1), 'm'), 0);
        disk.before_each_change({});
        ASSERT_EQ(others_steps, 2);
        ASSERT_EQ(mine.sync_file(file(map, 1)), 0);
        disk.power_loss(seed);
        EXPECT_TRUE(good(sys::exists(disk, segment_path(kRoot, kLog, 1, false).text)))
            << "seed " << seed;
        EXPECT_TRUE(good(sys::exists(disk, segment_path(kRoot, kLog, 1, true).text)))
            << "seed " << seed;
    }
}

// P3, L2: whoever looks at any moment of a write sees the version before it, whole.
TEST_F(PageLogDurableTest, AWriteIsSeenWholeOrNotAtAll) {
    int moments = 0;
    for (uint64_t seed = 0; seed < 20; ++seed) {
        sys::SimDisk disk(seed);
        PageMap map = make_map(disk);
        PageLog mine(disk, map), other(disk, map);
        FileEntry* to = file(map, 1);
        ASSERT_EQ(write(mine, to, 'a'), 0);
        EXPECT_EQ(read(other, to), std::string(kBlockBytes, 'a'));
        if (seed > 0) disk.shorten_one_in(2);
        disk.before_each_change([&] {
            ++moments;
            EXPECT_EQ(map.lookup(to, 0).location, Location::at(1, 0));
            EXPECT_FALSE(has_header_without_page(disk, 1)) << "seed " << seed;
            EXPECT_EQ(read(other, to), std::string(kBlockBytes, 'a'));
        });
        ASSERT_EQ(write(mine, to, 'b'), 0);
        disk.before_each_change({});
        EXPECT_EQ(read(other, to), std::string(kBlockBytes, 'b'));
    }
    EXPECT_GT(moments, 40);  // some were seen with half a page, or half a header, written
}

// L4
TEST_F(PageLogDurableTest, AFullDiskIsMetBeforeASlotIsDrawn) {
    sys::SimDisk disk(1);
    PageMap map = make_map(disk);
    PageLog log(disk, map);
    FileEntry* to = file(map, 1);
    ASSERT_EQ(write(log, to, 'a'), 0);
    disk.limit_space(0);
    uint64_t slots = 1;
    int result = 0;
    while ((result = write(log, to, 'b')) == 0) ASSERT_LT(++slots, 10000u);
    EXPECT_EQ(result, -ENOSPC);
    EXPECT_EQ(map.header().next_slot.load(), slots);
    EXPECT_EQ(map.header().allocated_slots.load(), slots);
    disk.limit_space(-1);
    EXPECT_EQ(write(log, to, 'c'), 0);
    EXPECT_EQ(read(log, to), std::string(kBlockBytes, 'c'));
}

// PostgreSQL sets hint bits and commit bits in a page that another process is writing out.
TEST_F(PageLogDurableTest, APageThatChangesWhileItIsWrittenCanBeRead) {
    sys::SimDisk disk(1);
    PageMap map = make_map(disk);
    PageLog log(disk, map);
    std::string page(kBlockBytes, 'a');
    disk.before_each_change([&] { ++page[4000]; });
    const void* pages[] = {page.data()};
    ASSERT_EQ(log.write(file(map, 1), 0, pages, 1), 0);
    disk.before_each_change({});
    ASSERT_NE(page[4000], 'a');
    std::string got(kBlockBytes, '?');
    void* into[] = {got.data()};
    ASSERT_EQ(log.read(file(map, 1), 0, into, 1), 0);
    got[4000] = page[4000];
    EXPECT_EQ(got, page);
}

}  // namespace
}  // namespace tarn::store
