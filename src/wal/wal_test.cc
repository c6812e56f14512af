// Against WAL that stock PostgreSQL has written.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "pg/control_file.h"
#include "pg/test_cluster.h"
#include "sys/files.h"
#include "sys/sim_disk.h"
#include "wal/wal_ahead.h"
#include "wal/wal_carry.h"
#include "wal/wal_end.h"
#include "wal/wal_trim.h"

namespace tarn::wal {
namespace {

namespace fs = std::filesystem;

// A cluster whose last second was a crash, and a directory in the shape of an incarnation's with
// its WAL.
class CrashedWal : public ::testing::TestWithParam<int> {
  protected:
    void SetUp() override {
        TARN_NEED_POSTGRES(GetParam());
        char name[] = "/tmp/tarn-wal-XXXXXX";
        directory_ = ::mkdtemp(name);
        auto cluster = pg::testing::Cluster::create(GetParam());
        ASSERT_TRUE(cluster.ok()) << cluster.error().text();
        auto backend = cluster->start({"wal_recycle=off", "synchronous_commit=on"});
        ASSERT_TRUE(backend.ok()) << backend.error().text();
        backend->run("CREATE TABLE t (n int, s text)");
        middle_ = *Lsn::parse(insert(*backend));
        between_ = Time(Span(std::stoll(
            backend->value("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))));
        last_ = *Lsn::parse(insert(*backend));
        backend->kill();
        auto bytes = pg::testing::read_file(cluster->data() + "/global/pg_control");
        auto control = pg::decode_control_file(bytes);
        ASSERT_TRUE(control.ok()) << control.error().text();
        control_ = *control;
        incarnation_ = directory_ + "/incarnation";
        fs::create_directories(incarnation_);
        fs::copy(cluster->data() + "/pg_wal", incarnation_ + "/wal");
        target_ = directory_ + "/target";
        fs::create_directories(target_ + "/wal");
    }
    void TearDown() override {
        if (!directory_.empty()) fs::remove_all(directory_);
    }

    static std::string insert(pg::testing::Backend& backend) {
        backend.run("INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n");
        return backend.value("SELECT pg_current_wal_flush_lsn()");
    }
    WalFiles files(const std::string& incarnation) const {
        return std::move(WalFiles::list(sys::real_disk(), incarnation)).value();
    }
    WalWalk walk(Lsn limit = Lsn{~uint64_t{0}}) const {
        return {.from = control_.checkpoint_copy.redo,
                .tli = control_.checkpoint_copy.tli,
                .limit = limit,
                .major = GetParam(),
                .system_identifier = control_.system_identifier};
    }
    void damage(uint64_t lsn) {
        std::string path = incarnation_ + "/wal/" + segment_name({1, lsn / kSegmentBytes});
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(lsn % kSegmentBytes));
        file.write("damaged", 7);
    }
    CarryPlan plan(Lsn end) const {
        return {
            .from = control_.checkpoint_copy.redo, .tli = control_.checkpoint_copy.tli, .end = end};
    }

    std::string directory_, incarnation_, target_;
    pg::ControlFile control_;
    Lsn middle_, last_;
    Time between_;  // the two insertions
};

TEST_P(CrashedWal, EndsBehindEverythingThatWasFlushed) {
    auto end = find_end(files(incarnation_), walk());
    ASSERT_TRUE(end.ok()) << end.error().text();
    EXPECT_GE(end->end, last_);
    EXPECT_GT(end->records, 20000u);
    EXPECT_EQ(end->tli, 1u);
}

TEST_P(CrashedWal, EndsAtTheLastRecordBelowALimit) {
    auto end = find_end(files(incarnation_), walk(middle_));
    ASSERT_TRUE(end.ok()) << end.error().text();
    EXPECT_EQ(end->end, middle_);
    auto inside = find_end(files(incarnation_), walk(Lsn{middle_.value + 8}));
    ASSERT_TRUE(inside.ok());
    EXPECT_EQ(inside->end, middle_);
}

TEST_P(CrashedWal, EndsBeforeTheFirstTransactionThatEndedLater) {
    auto wanted = walk();
    wanted.until = between_;
    auto end = find_end(files(incarnation_), wanted);
    ASSERT_TRUE(end.ok()) << end.error().text();
    EXPECT_TRUE(end->reached);
    // Up to the commit of the second insertion, which is its last record.
    EXPECT_GT(end->end, middle_);
    EXPECT_LT(end->end, last_);
    EXPECT_GT(end->end.value, last_.value - 8192);
    ASSERT_TRUE(end->last_transaction);
    EXPECT_LE(*end->last_transaction, between_);

    wanted.until = between_ + std::chrono::hours(1);
    auto all = find_end(files(incarnation_), wanted);
    ASSERT_TRUE(all.ok()) << all.error().text();
    EXPECT_FALSE(all->reached);
    EXPECT_GE(all->end, last_);
    EXPECT_GT(*all->last_transaction, between_);
}

TEST_P(CrashedWal, EndsBeforeDamageInTheLastSegment) {
    damage(last_.value - 100);
    auto end = find_end(files(incarnation_), walk());
    ASSERT_TRUE(end.ok()) << end.error().text();
    EXPECT_LT(end->end, last_);
}

TEST_P(CrashedWal, DamageBeforeASegmentThatWasBegunIsDataLoss) {
    uint64_t first = control_.checkpoint_copy.redo.value;
    ASSERT_LT(first / kSegmentBytes, last_.value / kSegmentBytes) << "one segment proves nothing";
    damage(first + 1'000'000);
    auto end = find_end(files(incarnation_), walk());
    ASSERT_FALSE(end.ok()) << "ends at " << end->end.text() << ", " << end->stopped_by;
    EXPECT_EQ(end.error().code(), Code::data_loss);
    WalEnd where = read_wal(files(incarnation_), walk()).end;
    EXPECT_LT(where.wrong_from.value, first + 1'000'007);
    EXPECT_GT(where.wrong_to.value, first + 1'000'000);
    // For a branch at a moment before it, the rest does not matter.
    EXPECT_TRUE(find_end(files(incarnation_), walk(Lsn{first + 500'000})).ok());
}

TEST_P(CrashedWal, WhatLiesBehindTheLimitCountsForNothing) {
    damage(middle_.value);
    auto end = find_end(files(incarnation_), walk(middle_));
    ASSERT_TRUE(end.ok()) << end.error().text();
    EXPECT_EQ(end->end.text(), middle_.text());
}

TEST_P(CrashedWal, OfAnotherClusterIsRefused) {
    auto foreign = walk();
    foreign.system_identifier += 1;
    auto end = find_end(files(incarnation_), foreign);
    ASSERT_FALSE(end.ok());
    EXPECT_EQ(end.error().code(), Code::data_loss);
}

// W1, W2
TEST_P(CrashedWal, CutCopyEndsAtTheMomentWithZerosBehindIt) {
    auto carried = carry(sys::real_disk(), files(incarnation_), target_ + "/wal", plan(middle_));
    ASSERT_TRUE(carried.ok()) << carried.error().text();
    auto end = find_end(files(target_), walk());
    ASSERT_TRUE(end.ok()) << end.error().text();
    EXPECT_EQ(end->end, middle_);
    auto copies = files(target_);
    for (const auto& [segment, path] : copies.segments()) {
        EXPECT_LE(segment.number, (middle_.value - 1) / kSegmentBytes);
        EXPECT_EQ(fs::file_size(path), kSegmentBytes);
        EXPECT_EQ(fs::hard_link_count(path), 1u);
    }
    auto bytes =
        pg::testing::read_file(copies.segments().at({1, (middle_.value - 1) / kSegmentBytes}));
    for (size_t at = middle_.value % kSegmentBytes; at < bytes.size(); ++at)
        ASSERT_EQ(bytes[at], std::byte{0}) << at;
}

TEST_P(CrashedWal, CopyWithAnotherSystemIdentifierBelongsToIt) {
    auto renamed = plan(last_);
    renamed.system_identifier = 42;
    ASSERT_TRUE(carry(sys::real_disk(), files(incarnation_), target_ + "/wal", renamed).ok());
    auto mine = walk();
    mine.system_identifier = 42;
    auto end = find_end(files(target_), mine);
    ASSERT_TRUE(end.ok()) << end.error().text();
    EXPECT_EQ(end->end, last_);
}

// W1
TEST_P(CrashedWal, OnlyWholeDurableSegmentsAreLinked) {
    auto whole = plan(last_);
    whole.cut = false;
    whole.link_below = middle_;
    ASSERT_TRUE(carry(sys::real_disk(), files(incarnation_), target_ + "/wal", whole).ok());
    auto copies = files(target_);
    for (const auto& [segment, path] : copies.segments()) {
        bool durable = (segment.number + 1) * kSegmentBytes <= middle_.value;
        EXPECT_EQ(fs::hard_link_count(path), durable ? 2u : 1u) << path;
    }
    auto end = find_end(copies, walk());
    ASSERT_TRUE(end.ok());
    EXPECT_GE(end->end, last_);
}

TEST_P(CrashedWal, WhatHoldsNothingIsNotCopied) {
    SegmentId ahead{1, last_.value / kSegmentBytes + 2};
    ASSERT_TRUE(make_ahead(sys::real_disk(), incarnation_ + "/wal", ahead, 1).ok());
    auto all = plan(last_);
    all.cut = false;
    ASSERT_TRUE(carry(sys::real_disk(), files(incarnation_), target_ + "/wal", all).ok());
    auto last = segment_name({1, (last_.value - 1) / kSegmentBytes});
    EXPECT_TRUE(fs::exists(target_ + "/wal/" + last));
    EXPECT_FALSE(fs::exists(target_ + "/wal/" + segment_name(ahead)));
}

TEST_P(CrashedWal, AMissingSegmentIsDataLoss) {
    fs::remove(incarnation_ + "/wal/" + segment_name({1, middle_.value / kSegmentBytes}));
    auto carried = carry(sys::real_disk(), files(incarnation_), target_ + "/wal", plan(last_));
    ASSERT_FALSE(carried.ok());
    EXPECT_EQ(carried.error().code(), Code::data_loss);
}

INSTANTIATE_TEST_SUITE_P(Postgres, CrashedWal, ::testing::Values(16, 17, 18),
                         ::testing::PrintToStringParamName());

class WalNames : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/tarn-wal-XXXXXX";
        directory_ = ::mkdtemp(name);
        fs::create_directories(directory_ + "/wal");
        fs::create_directories(directory_ + "/wal_archive");
    }
    void TearDown() override { fs::remove_all(directory_); }
    void put_file(const std::string& name, const std::string& text = "") {
        std::ofstream(directory_ + "/" + name) << text;
    }
    WalFiles files() const {
        return std::move(WalFiles::list(sys::real_disk(), directory_)).value();
    }
    std::string directory_;
};

TEST_F(WalNames, RecoveryFollowsTheNewestTimelineThatIsThere) {
    put_file("wal/00000002.history", "1\t0/3000148\tno recovery target specified\n");
    put_file("wal/00000003.history",
             "1\t0/3000148\tno recovery target specified\n\n2\t0/5000000\tagain\n");
    for (const char* name : {"wal/000000010000000000000003", "wal/000000020000000000000003",
                             "wal/000000010000000000000004", "wal/000000020000000000000004",
                             "wal_archive/000000030000000000000005"})
        put_file(name);
    auto found = files();
    auto timelines = found.timelines_from(1);
    ASSERT_TRUE(timelines.ok()) << timelines.error().text();
    ASSERT_EQ(timelines->size(), 3u);
    EXPECT_EQ((*timelines)[1].begin.text(), "0/3000148");
    EXPECT_EQ((*timelines)[2].begin.text(), "0/5000000");
    EXPECT_EQ(found.choose(*timelines, 3)->tli, 2u);
    EXPECT_EQ(found.choose(*timelines, 4)->tli, 2u);
    EXPECT_EQ(found.choose(*timelines, 5)->tli, 3u);
    EXPECT_EQ(found.choose(*timelines, 6), nullptr);
}

TEST_F(WalNames, AHistoryThatContradictsItselfIsDataLoss) {
    for (const char* text : {"2\t0/3000148\tx\n", "1\n", "1\tnowhere\tx\n", "no number\n"}) {
        put_file("wal/00000002.history", text);
        auto timelines = files().timelines_from(1);
        ASSERT_FALSE(timelines.ok()) << text;
    }
}

TEST_F(WalNames, TheArchiveKeepsWhatARestorePointNeeds) {
    put_file("wal_archive/000000010000000000000003");
    put_file("wal_archive/000000010000000000000004");
    put_file("wal_archive/something else");
    ASSERT_TRUE(
        trim_wal(sys::real_disk(), directory_ + "/wal_archive", Lsn{4 * kSegmentBytes + 1}).ok());
    EXPECT_FALSE(fs::exists(directory_ + "/wal_archive/000000010000000000000003"));
    EXPECT_TRUE(fs::exists(directory_ + "/wal_archive/000000010000000000000004"));
    EXPECT_TRUE(fs::exists(directory_ + "/wal_archive/something else"));
    put_file("wal/000000010000000000000007");
    put_file("wal/000000010000000000000008");
    ASSERT_TRUE(
        trim_wal(sys::real_disk(), directory_ + "/wal", Lsn{}, Lsn{8 * kSegmentBytes}).ok());
    EXPECT_TRUE(fs::exists(directory_ + "/wal/000000010000000000000007"));
    EXPECT_FALSE(fs::exists(directory_ + "/wal/000000010000000000000008"));
}

class WalAhead : public WalNames {
  protected:
    std::string path(SegmentId segment) const {
        return directory_ + "/wal/" + segment_name(segment);
    }
    Result<void> make(SegmentId first, uint32_t count) {
        return make_ahead(sys::real_disk(), directory_ + "/wal", first, count);
    }
};

TEST_F(WalAhead, MakesWholeSegmentsOfZerosAndNothingElse) {
    auto made = make({2, 7}, 2);
    ASSERT_TRUE(made.ok()) << made.error().text();
    for (uint64_t number : {7u, 8u}) {
        auto bytes = sys::read_file(sys::real_disk(), path({2, number}));
        ASSERT_TRUE(bytes.ok()) << bytes.error().text();
        EXPECT_EQ(bytes->size(), kSegmentBytes);
        EXPECT_TRUE(is_zeros(bytes->data(), bytes->size()));
    }
    EXPECT_EQ(sys::list_names(sys::real_disk(), directory_ + "/wal")->size(), 2u);
}

TEST_F(WalAhead, ASegmentThatIsThereStays) {
    put_file("wal/" + segment_name({2, 7}), "PostgreSQL's");
    ASSERT_TRUE(make({2, 7}, 2).ok());
    EXPECT_EQ(sys::read_file(sys::real_disk(), path({2, 7})).value(), "PostgreSQL's");
    EXPECT_TRUE(fs::exists(path({2, 8})));
}

// PostgreSQL makes the same one after it was looked for.
TEST_F(WalAhead, ASegmentThatAppearsMeanwhileStays) {
    sys::SimDisk disk(1);
    ASSERT_TRUE(sys::make_directories(disk, "/wal", sys::SyncSite::lineage_directory).ok());
    std::string name = "/wal/" + segment_name({2, 7});
    bool once = true;
    disk.before_each_change([&] {
        if (!std::exchange(once, false)) return;
        ASSERT_TRUE(sys::write_scratch(disk, name, "PostgreSQL's").ok());
    });
    ASSERT_TRUE(make_ahead(disk, "/wal", {2, 7}, 1).ok());
    EXPECT_EQ(sys::read_file(disk, name).value(), "PostgreSQL's");
    EXPECT_EQ(sys::list_names(disk, "/wal")->size(), 1u);
}

TEST_F(WalAhead, AnUnfinishedOneThatIsASegmentsSecondNameIsNotWrittenTo) {
    put_file("wal/" + segment_name({2, 7}), "commits");
    fs::create_hard_link(path({2, 7}), directory_ + "/wal/xlogtemp.ahead");
    ASSERT_TRUE(make({2, 8}, 1).ok());
    EXPECT_EQ(sys::read_file(sys::real_disk(), path({2, 7})).value(), "commits");
    EXPECT_EQ(fs::hard_link_count(path({2, 8})), 1u);
}

TEST_F(WalAhead, OnlyEmptyOnesAreTakenBack) {
    ASSERT_TRUE(make({2, 6}, 4).ok());
    ASSERT_TRUE(make({1, 8}, 1).ok());
    std::fstream(path({2, 8}), std::ios::in | std::ios::out) << "begun";
    ASSERT_TRUE(remove_ahead(sys::real_disk(), directory_ + "/wal", {2, 7}).ok());
    EXPECT_TRUE(fs::exists(path({2, 6}))) << "an earlier one";
    EXPECT_FALSE(fs::exists(path({2, 7})));
    EXPECT_TRUE(fs::exists(path({2, 8}))) << "somebody has written to it";
    EXPECT_FALSE(fs::exists(path({2, 9})));
    EXPECT_TRUE(fs::exists(path({1, 8}))) << "of another timeline";
}

}  // namespace
}  // namespace tarn::wal
