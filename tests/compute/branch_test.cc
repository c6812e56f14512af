// Branches: copies of a running parent that share its pages and none of its future.

#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "compute/attachments.h"
#include "compute/files.h"
#include "world.h"

namespace tarn::compute::testing {
namespace {

using BranchTest = ComputeTest;

TEST_P(BranchTest, ABranchOfARunningParentIsIsolatedBothWays) {
    start_project();
    value("ep-main", "CREATE TABLE t AS SELECT generate_series(1, 100000) AS n");
    value("ep-main", "CREATE UNLOGGED TABLE u AS SELECT 7 AS n");
    auto point = manager_->create_branch(kBranch, kRoot, "ep-main", Newest{});
    ASSERT_OK(point);
    EXPECT_TRUE(point->lsn.valid());
    value("ep-main", "INSERT INTO t VALUES (0)");
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    EXPECT_EQ(value("ep-branch", "SELECT count(*) FROM t"), "100000");
    EXPECT_EQ(value("ep-branch", "SELECT count(*) FROM u"), "0");
    value("ep-branch", "DELETE FROM t WHERE n > 10");
    value("ep-branch", "VACUUM FULL t");
    EXPECT_EQ(value("ep-main", "SELECT count(*) FROM t"), "100001");
    ASSERT_OK(manager_->stop("ep-branch"));
    ASSERT_OK(manager_->stop("ep-main"));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-branch", "SELECT count(*) FROM t"), "10");
    EXPECT_EQ(value("ep-main", "SELECT count(*) FROM t"), "100001");
}

TEST_P(BranchTest, ABranchOfAStoppedOrNeverStartedParentIsTheSame) {
    ASSERT_OK(manager_->create_root(kRoot, GetParam()));
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "", Newest{}));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    value("ep-branch", "CREATE TABLE t AS SELECT 3 AS n");
    ASSERT_OK(manager_->stop("ep-branch"));
    const char* grandchild = "00000000000a0003";
    ASSERT_OK(manager_->create_branch(grandchild, kBranch, "", Newest{}));
    ASSERT_OK(manager_->start(spec("ep-grandchild", grandchild)));
    EXPECT_EQ(value("ep-grandchild", "SELECT n FROM t"), "3");
}

TEST_P(BranchTest, MuchWalIsShortenedByACheckpointFirst) {
    start_project();
    value("ep-main",
          "CREATE TABLE t AS SELECT n, repeat('x', 200) AS s "
          "FROM generate_series(1, 60000) AS n");
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    EXPECT_EQ(value("ep-branch", "SELECT sum(n) FROM t"), "1800030000");
}

// Stock PostgreSQL would fill two segments of 16 MiB with zeros before it answers.
TEST_P(BranchTest, ABranchThatBeginsLateInASegmentTakesLittleDisk) {
    start_project();
    const std::string late =
        "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') % 16777216";
    value("ep-main", "CREATE TABLE t (s text)");
    for (int i = 0; i < 200 && std::stoll(value("ep-main", late)) < (13 << 20); ++i)
        value("ep-main", "INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 500)");
    ASSERT_GE(std::stoll(value("ep-main", late)), 13 << 20);
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    namespace fs = std::filesystem;
    std::map<ino_t, int64_t> allocated;  // KiB
    for (const auto& entry :
         fs::recursive_directory_iterator(directory_ + "/store/lineages/" + kBranch)) {
        struct stat status {};
        if (entry.path().string().find("/wal/") != std::string::npos &&
            ::stat(entry.path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
            allocated[status.st_ino] = status.st_blocks / 2;
    }
    int64_t sum = 0;
    for (auto [inode, kib] : allocated) sum += kib;
    EXPECT_GE(allocated.size(), 3u) << "the copy, its successor, the next one";
    // What the branch replays is there twice: as it was, and in the timeline that goes on from it.
    EXPECT_LT(sum, 2 * 4096 + 2048);
    value("ep-branch", "INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 20000)");
    EXPECT_EQ(value("ep-branch", "SELECT count(*) > 20000 FROM t"), "t");
}

// The map is never synced: what a power cut brings back may be an older one.
TEST_P(BranchTest, ABranchOfACrashedParentHasAllOfItsWal) {
    start_project();
    value("ep-main", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    store::LogId log{*parse_lineage_id(kRoot), 1};
    uint64_t older = 0;
    {
        auto mapped = store::MappedMap::open(directory_ + "/store", log);
        ASSERT_OK(mapped);
        older = mapped->map().header().flushed_position.load();
    }
    value("ep-main", "INSERT INTO t SELECT generate_series(1, 5000)");
    kill_compute("ep-main", kRoot);
    {
        auto mapped = store::MappedMap::open(directory_ + "/store", log);
        ASSERT_OK(mapped);
        mapped->map().header().flushed_position.store(older);
    }
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "", Newest{}));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    EXPECT_EQ(value("ep-branch", "SELECT count(*) FROM t"), "6000");
}

// Its own setting came after the checkpoint that the branch begins at.
TEST_P(BranchTest, PreparedTransactionsComeWithABranch) {
    start_project();
    ASSERT_OK(manager_->stop("ep-main"));
    auto parent = spec("ep-main", kRoot);
    parent.pg_settings = {{"max_prepared_transactions", "10"}};
    ASSERT_OK(manager_->start(parent));
    value("ep-main", "BEGIN; CREATE TABLE a (n int); PREPARE TRANSACTION 'a'");
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "", Newest{}));
    value("ep-main", "CHECKPOINT");  // now it is a file
    const char* later = "00000000000a0003";
    ASSERT_OK(manager_->create_branch(later, kRoot, "ep-main", Newest{}));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    ASSERT_OK(manager_->start(spec("ep-later", later)));
    for (const char* uid : {"ep-branch", "ep-later"}) {
        EXPECT_EQ(value(uid, "SELECT string_agg(gid, ',') FROM pg_prepared_xacts"), "a") << uid;
        value(uid, "COMMIT PREPARED 'a'");
        EXPECT_EQ(value(uid, "SELECT count(*) FROM a"), "0") << uid;
    }
}

TEST_P(BranchTest, ABranchOutlivesItsDroppedParent) {
    start_project();
    value("ep-main", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    ASSERT_OK(manager_->remove("ep-main"));
    ASSERT_OK(manager_->drop_lineage(kRoot));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    EXPECT_EQ(value("ep-branch", "SELECT sum(n) FROM t"), "500500");
    ASSERT_OK(manager_->remove("ep-branch"));
    ASSERT_OK(manager_->drop_lineage(kBranch));
    EXPECT_FALSE(exists(directory_ + "/store/lineages/" + std::string(kRoot)));
}

TEST_P(BranchTest, ProjectsHaveSystemIdentifiersOfTheirOwn) {
    start_project();
    const char* other = "00000000000a0009";
    ASSERT_OK(manager_->create_root(other, GetParam()));
    ASSERT_OK(manager_->start(spec("ep-other", other)));
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    const char* sql = "SELECT system_identifier FROM pg_control_system()";
    EXPECT_NE(value("ep-main", sql), value("ep-other", sql));
    EXPECT_EQ(value("ep-main", sql), value("ep-branch", sql));
}

INSTANTIATE_TEST_SUITE_P(Postgres, BranchTest, ::testing::Values(16, 17, 18),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace tarn::compute::testing
