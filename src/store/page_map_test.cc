#include "store/page_map.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

#include "sys/randomness.h"

namespace tarn::store {
namespace {

constexpr LogId kLog{0xabc, 1};
constexpr uint64_t kFirstBytes = uint64_t{1} << 20;

// A map of which only what has been grown can be touched at all: where a map file on a full disk
// would raise SIGBUS, this one raises SIGSEGV. Other processes share it.
class PageMapTest : public testing::Test {
  protected:
    void SetUp() override {
        base_ = ::mmap(nullptr, kMapBytes, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                       -1, 0);
        ASSERT_NE(base_, MAP_FAILED);
        ASSERT_EQ(grow(this, 0, kFirstBytes), 0);
        PageMap::format(base_, kLog, kFirstBytes);
        map_ = PageMap(base_, {grow, this});
    }
    void TearDown() override { ::munmap(base_, kMapBytes); }

    static int grow(void* context, uint64_t from, uint64_t end) {
        auto* self = static_cast<PageMapTest*>(context);
        if (end > self->disk_bytes_) return -ENOSPC;
        void* begin = static_cast<char*>(self->base_) + from;
        return ::mprotect(begin, end - from, PROT_READ | PROT_WRITE) == 0 ? 0 : -errno;
    }
    FileEntry* file(uint64_t number, int* failure) {
        bool created;
        return map_.find_or_create({1, number}, &created, failure);
    }
    FileEntry* file(uint64_t number) {
        int failure;
        return file(number, &failure);
    }
    void expect_offsets_below_arena_next() {
        auto end = static_cast<uint32_t>(map_.header().arena_next.load() / 64);
        for (const auto& head : map_.header().buckets) ASSERT_LT(head.load(), end);
        map_.each_file(
            [](void* context, FileEntry* entry) {
                uint32_t limit = *static_cast<uint32_t*>(context);
                EXPECT_LT(entry->next, limit);
                for (const auto& root : entry->roots) EXPECT_LT(root.load(), limit);
            },
            &end);
    }
    // What a process may do to a map at any time, on one of `kFiles` files.
    void change(sys::Random& random) {
        int failure;
        FileEntry* entry = file(random.below(kFiles), &failure);
        if (!entry) return;
        auto block = static_cast<uint32_t>(random.below(9000));
        switch (random.below(8)) {
            case 0:
                return map_.unlink(entry);
            case 1:
                return map_.truncate(entry, block);
            case 2:
                return map_.write_control("control", 7, true, block);
            default:
                map_.publish(entry, block, {Location::at(1, block), block});
                map_.grow_length(entry, block + 1);
        }
    }

    static constexpr uint64_t kFiles = 20;
    void* base_ = nullptr;
    uint64_t disk_bytes_ = kMapBytes;
    PageMap map_;
};

// P1, P2
TEST_F(PageMapTest, AFullDiskIsMetBeforeAnyOfItsMemoryIsUsed) {
    disk_bytes_ = 2 * kFirstBytes;
    constexpr uint32_t kBlock = 5000;  // three nodes deep
    auto version = [](uint64_t number) { return Version{Location::at(1, number), 7}; };
    uint64_t files = 0;
    int failure = 0;
    for (;; ++files) {
        ASSERT_LT(files, 10000u);
        FileEntry* entry = file(files, &failure);
        if (entry) failure = map_.publish(entry, kBlock, version(files));
        ASSERT_LE(map_.header().arena_next.load(), map_.header().arena_allocated.load());
        if (failure != 0) break;
    }
    EXPECT_EQ(failure, -ENOSPC);
    EXPECT_EQ(map_.header().arena_allocated.load(), disk_bytes_);
    EXPECT_GT(files, 500u);
    expect_offsets_below_arena_next();
    for (uint64_t number = 0; number < files; ++number)
        ASSERT_EQ(map_.lookup(map_.find({1, number}), kBlock).location, Location::at(1, number));
    disk_bytes_ = kMapBytes;
    EXPECT_EQ(map_.publish(file(files), kBlock, version(files)), 0);
}

// P4
TEST_F(PageMapTest, LengthsFallByTruncateOnlyWhoeverElseGrowsThem) {
    FileEntry* entry = file(1);
    std::atomic<int> falls = 0;
    {
        std::vector<std::jthread> growers;
        for (uint64_t seed = 1; seed <= 4; ++seed)
            growers.emplace_back([&, seed] {
                sys::SeededRandom random(seed);
                uint32_t seen = 0;
                for (uint64_t i = 1; i <= 20000; ++i) {
                    auto wanted = static_cast<uint32_t>(random.below(i));
                    uint32_t now = map_.grow_length(entry, wanted);
                    if (now < seen || now < wanted) ++falls;
                    seen = now;
                }
            });
    }
    EXPECT_EQ(falls, 0);
    EXPECT_GT(entry->length.load(), 10000u);
    map_.truncate(entry, 3);
    EXPECT_EQ(entry->length.load(), 3u);
}

// P5
TEST_F(PageMapTest, WhoeverIsKilledInTheMiddleLeavesTheMapUsable) {
    // A process cannot grow what another one may touch here: all at once, beforehand.
    ASSERT_EQ(grow(this, 0, kMapBytes), 0);
    void* shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    auto& steps = *static_cast<std::atomic<uint64_t>*>(shared);
    ::alarm(120);  // a lock that a dead process holds would be waited for without end
    for (uint64_t seed = 1; seed <= 100; ++seed) {
        sys::SeededRandom random(seed);
        uint64_t life = 1 + random.below(500);
        steps = 0;
        pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;; ++steps) change(random);
        }
        while (steps < life) std::this_thread::yield();
        ::kill(child, SIGKILL);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);

        for (uint64_t number = 0; number < kFiles; ++number) {
            FileEntry* entry = file(number);
            ASSERT_NE(entry, nullptr);
            uint32_t block = static_cast<uint32_t>(random.below(9000));
            ASSERT_EQ(map_.publish(entry, block, {Location::at(1, seed), 7}), 0);
            ASSERT_EQ(map_.lookup(entry, block).location, Location::at(1, seed)) << "seed " << seed;
        }
        ControlBuffer control;
        map_.write_control("mine", 4, false, 0);
        map_.read_control(&control);
        ASSERT_EQ(control.image[0], 'm');
        expect_offsets_below_arena_next();
    }
    ::alarm(0);
    ::munmap(shared, 4096);
}

}  // namespace
}  // namespace tarn::store
