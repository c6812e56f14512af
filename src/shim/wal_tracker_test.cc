#include "shim/wal_tracker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>

#include "pg/test_wal.h"
#include "shim/protocol.h"
#include "shim/state.h"
#include "shim/wal_sync.h"

namespace tarn::shim {

// The shim's own are in attach.cc, which looks for a compute's environment.
constinit State state;
int rings = 0;
void ring() {
    ++rings;
}
void report(const char* what, const char*, int) {
    ADD_FAILURE() << what;
}

namespace {

constexpr uint64_t kSegment = pg::kDefaultWalSegmentSize;
constexpr int kMajor = 17;

// Real WAL, in which a record of `records` goes from one segment into the next.
struct Sample {
    pg::testing::WalBytes wal;
    std::vector<pg::WalRecord> records;
    pg::WalRecord crossing;
    uint64_t boundary = 0;
};

Sample make_sample() {
    auto cluster = pg::testing::Cluster::create(kMajor);
    EXPECT_TRUE(cluster.ok());
    auto backend = cluster->start();
    EXPECT_TRUE(backend.ok());
    // Rows of pages' size, so that few boundaries are met by a record's end.
    backend->run("create table t (n int, pad text)");
    backend->run("alter table t alter pad set storage plain");
    backend->run("insert into t select g, repeat('x', 7000) from generate_series(1, 8000) g");
    Sample sample;
    sample.wal = pg::testing::load_wal(cluster->data(), kSegment);
    uint64_t first = (sample.wal.lsn / kSegment + 1) * kSegment;
    // Somewhere behind the first boundary a record begins; the walk starts at the first one that
    // holds.
    for (uint64_t lsn = sample.wal.lsn + 40; lsn < first && sample.records.size() < 100; lsn += 8)
        sample.records =
            pg::testing::walk(pg::WalWalker({.major = kMajor}, pg::WalPosition{.lsn = lsn}),
                              {sample.wal.window()})
                .records;
    for (const pg::WalRecord& record : sample.records) {
        uint64_t boundary = (record.start / kSegment + 1) * kSegment;
        if (record.start + 64 > boundary || record.end <= boundary) continue;
        sample.crossing = record;
        sample.boundary = boundary;
        break;
    }
    return sample;
}

// pg_wal in a directory of its own, which the tracker finds as PostgreSQL does: below the current
// one.
class WalTrackerTest : public ::testing::Test {
  protected:
    void SetUp() override {
        TARN_NEED_POSTGRES(kMajor);
        std::string name = testing::TempDir() + "wal_tracker.XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
        std::filesystem::create_directory(directory_ / "pg_wal");
        std::filesystem::current_path(directory_);
        base_ = ::mmap(nullptr, store::kMapBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT_NE(base_, MAP_FAILED);
        store::PageMap::format(base_, {1, 1}, store::PageMap::header_bytes());
        log_ = std::make_unique<store::PageLog>(sys::real_disk(), store::PageMap(base_, {}));
        state.log = log_.get();
        map().caller_version = kMajor;
    }
    void TearDown() override {
        state.log = nullptr;
        if (base_) ::munmap(base_, store::kMapBytes);
        std::filesystem::current_path("/");
        std::filesystem::remove_all(directory_);
    }

    // The end of the last record that ends at or before `position`.
    static uint64_t whole_until(const Sample& sample, uint64_t position) {
        uint64_t whole = 0;
        for (const pg::WalRecord& record : sample.records)
            if (record.end <= position) whole = record.end;
        return whole;
    }

    // Writes a segment as far as `valid`, zeros behind it, and tells the tracker of its sync.
    uint64_t sync_segment(const pg::testing::WalBytes& wal, uint64_t base, uint64_t valid) {
        char name[pg::kWalNameLength + 1];
        pg::format_wal_name(1, base / kSegment, kSegment, name);
        std::string path = std::string("pg_wal/") + name;
        int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
        EXPECT_GE(fd, 0);
        auto size = static_cast<ssize_t>(std::min(valid, base + kSegment) - base);
        EXPECT_EQ(::pwrite(fd, &wal.bytes[base - wal.lsn], static_cast<size_t>(size), 0), size);
        EXPECT_EQ(::ftruncate(fd, kSegment), 0);
        EXPECT_EQ(track_wal(fd, 1, base), 0);
        ::close(fd);
        return map().flushed_position.load();
    }

    std::filesystem::path directory_;
    void* base_ = nullptr;
    std::unique_ptr<store::PageLog> log_;
};

TEST_F(WalTrackerTest, ARecordSyncedHalfAtASegmentsEndIsReadAfreshWhenItIsWhole) {
    Sample sample = make_sample();
    ASSERT_NE(sample.boundary, 0u) << "no record crosses a segment's end";
    uint64_t first = sample.boundary - kSegment;
    uint64_t limit = sample.boundary + kSegment;
    uint64_t whole = 0;
    for (const pg::WalRecord& record : sample.records)
        if (record.end <= limit) whole = record.end;
    auto begin = std::find_if(sample.records.begin(), sample.records.end(),
                              [&](const pg::WalRecord& each) { return each.start >= first; });
    map().flushed_position.store(begin->start);

    // Its header is in the page that another record's commit has synced, its body is not yet.
    EXPECT_EQ(sync_segment(sample.wal, first, sample.crossing.start + 24), sample.crossing.start);
    EXPECT_EQ(sync_segment(sample.wal, first, sample.boundary), sample.crossing.start);
    EXPECT_EQ(sync_segment(sample.wal, sample.boundary, std::min(limit, sample.wal.end())), whole);
}

// A bulk load: megabytes between two syncs. What is known to be whole ends where a walk over
// everything would end, wherever on the newest page PostgreSQL was.
TEST_F(WalTrackerTest, AfterABulkLoadTheWalkGoesOnAtItsLastPages) {
    Sample sample = make_sample();
    ASSERT_NE(sample.boundary, 0u);
    uint64_t first = sample.boundary;
    uint64_t start = whole_until(sample, first + kSegment / 4);
    for (uint64_t cut = first + kSegment / 2; cut < first + kSegment / 2 + 20'000; cut += 808) {
        std::memset(map().caller_area, 0, sizeof map().caller_area);
        map().flushed_position.store(start);
        wrote_wal(cut - cut % pg::kWalPageSize + pg::kWalPageSize);
        EXPECT_EQ(sync_segment(sample.wal, first, cut), whole_until(sample, cut)) << cut;
    }
}

// The pages between are PostgreSQL's own, just written: only the last ones are read back.
TEST_F(WalTrackerTest, OnlyABulkLoadsLastPagesAreRead) {
    Sample sample = make_sample();
    ASSERT_NE(sample.boundary, 0u);
    uint64_t first = sample.boundary;
    uint64_t end = first + kSegment / 2;
    uint64_t start = whole_until(sample, first + kSegment / 4);
    uint64_t damaged = first + kSegment / 3;
    sample.wal.at(damaged) ^= std::byte{1};
    map().flushed_position.store(start);
    EXPECT_LE(sync_segment(sample.wal, first, end), damaged) << "walked from the beginning";
    wrote_wal(end);
    EXPECT_EQ(sync_segment(sample.wal, first, end), whole_until(sample, end));
}

// A record that begins where its page does, and is synced half: what is whole ends before the
// page's header, as every other reader says.
TEST_F(WalTrackerTest, AHalfRecordAtAPagesTopIsNotCounted) {
    auto cluster = pg::testing::Cluster::create(kMajor);
    ASSERT_TRUE(cluster.ok());
    auto backend = cluster->start();
    ASSERT_TRUE(backend.ok());
    // A message of n bytes takes 55 + n: one that ends with its page, then a long one. At last
    // something that flushes them.
    backend->run(
        "do $$ declare rest int; begin for i in 1..20 loop"
        " rest := 8192 - mod(pg_current_wal_insert_lsn() - '0/0', 8192);"
        " if rest < 1000 then"
        "  perform pg_logical_emit_message(false, 't', repeat('x', rest + 945));"
        "  rest := 8192 - mod(pg_current_wal_insert_lsn() - '0/0', 8192);"
        " end if;"
        " perform pg_logical_emit_message(false, 't', repeat('x', rest - 55));"
        " perform pg_logical_emit_message(false, 't', repeat('x', 50000));"
        " end loop; end $$");
    backend->run("create table flushes (n int)");
    pg::testing::WalBytes wal = pg::testing::load_wal(cluster->data(), kSegment);
    uint64_t checked = 0;
    for (uint64_t page = wal.lsn + 16 * pg::kWalPageSize; page + 65536 < wal.end();
         page += pg::kWalPageSize) {
        pg::WalWindow header{page, &wal.at(page), pg::wal_page_offset::long_size};
        if (page % kSegment == 0 || page - wal.lsn > kSegment - 65536 ||
            pg::WalWalker::first_start({.major = kMajor}, header) != page)
            continue;
        auto next = pg::testing::walk(pg::WalWalker({.major = kMajor}, {.lsn = page}),
                                      {wal.window_until(page + 65536)});
        if (next.records.empty() || next.records[0].total_length < 40000) continue;
        std::memset(map().caller_area, 0, sizeof map().caller_area);
        uint64_t end = page + 2 * pg::kWalPageSize;
        // The walk before: at the last place that lies far enough back.
        uint64_t start = 0;
        for (uint64_t at = page - 9 * pg::kWalPageSize; start == 0; at -= pg::kWalPageSize)
            start = pg::WalWalker::first_start({.major = kMajor},
                                               {at, &wal.at(at), pg::wal_page_offset::long_size});
        map().flushed_position.store(start);
        wrote_wal(end);
        EXPECT_EQ(sync_segment(wal, wal.lsn, end), page);
        ++checked;
    }
    EXPECT_GT(checked, 3u);
}

TEST_F(WalTrackerTest, TheSupervisorHearsOfEachNewSegment) {
    rings = 0;
    wrote_wal(kSegment + 8192);
    wrote_wal(2 * kSegment);
    EXPECT_EQ(rings, 1);
    EXPECT_EQ(wal_segments(map()).newest.load(), 1u);
    wrote_wal(2 * kSegment + 8192);
    EXPECT_EQ(rings, 2);
    EXPECT_EQ(wal_segments(map()).newest.load(), 2u);
}

TEST_F(WalTrackerTest, ALaterSegmentsNameIsSyncedOnce) {
    wal_segments(map()).named.store(7);
    EXPECT_EQ(sync_wal_name(8), 0);
    EXPECT_EQ(wal_segments(map()).named.load(), 8u);
    std::filesystem::remove(directory_ / "pg_wal");
    EXPECT_EQ(sync_wal_name(8), 0);
    EXPECT_EQ(sync_wal_name(9), -ENOENT);
    EXPECT_EQ(wal_segments(map()).named.load(), 8u);
}

}  // namespace
}  // namespace tarn::shim
