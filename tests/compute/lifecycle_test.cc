// One endpoint on one lineage: born, stopped, woken, killed in every way, found again.

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "compute/files.h"
#include "compute/layout.h"
#include "sys/files.h"
#include "world.h"

namespace tarn::compute::testing {
namespace {

// Waits for the manager to notice an end that nobody asked for.
class ExitNotice {
  public:
    explicit ExitNotice(Manager& manager) {
        manager.on_exit([this](const std::string& uid) {
            std::lock_guard held(mutex_);
            uid_ = uid;
            changed_.notify_all();
        });
    }
    std::string wait() {
        std::unique_lock held(mutex_);
        changed_.wait_for(held, std::chrono::seconds(30), [this] { return !uid_.empty(); });
        return std::exchange(uid_, "");
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string uid_;
};

class LifecycleTest : public ComputeTest {
  protected:
    int incarnations() const {
        auto names =
            sys::list_names_if_any(sys::real_disk(), directory_ + "/store/lineages/" + kRoot);
        int count = 0;
        if (names)
            for (const auto& name : *names) count += name.size() == 8 ? 1 : 0;
        return count;
    }
    // WAL segments of an incarnation that hold nothing.
    int unwritten_wal(const std::string& incarnation) const {
        auto wal = directory_ + "/store/lineages/" + kRoot + "/" + incarnation + "/wal";
        auto names = sys::list_names(sys::real_disk(), wal);
        int count = 0;
        for (const auto& name : names ? *names : std::vector<std::string>{}) {
            uint16_t magic = 1;
            auto file = sys::File::open(sys::real_disk(), wal + "/" + name, O_RDONLY);
            if (name.size() != 24 || !file || !file->read(&magic, sizeof magic, 0)) continue;
            count += magic == 0 ? 1 : 0;
        }
        return count;
    }
    // 0: there is none.
    pid_t supervisor_of(const LineageId& lineage) const {
        for (pid_t pid : processes(lineage)) {
            auto name = sys::read_file(sys::real_disk(), "/proc/" + std::to_string(pid) + "/comm");
            if (name && !name->starts_with("postgres")) return pid;
        }
        return 0;
    }
};

TEST_P(LifecycleTest, ANewProjectAnswersWithoutRecovery) {
    start_project();
    EXPECT_EQ(value("ep-main", "SELECT 1"), "1");
    EXPECT_EQ(value("ep-main", "SHOW full_page_writes"), "off");
    EXPECT_EQ(value("ep-main", "SHOW data_checksums"), "off");
    EXPECT_EQ(
        value("ep-main", "SELECT rolname FROM pg_roles WHERE rolname = 'databricks_superuser'"),
        "databricks_superuser");
    EXPECT_EQ(value("ep-main", "SELECT timeline_id FROM pg_control_checkpoint()"), "1");
    EXPECT_EQ(incarnations(), 1);
}

TEST_P(LifecycleTest, AWokenEndpointGoesOnWithItsIncarnation) {
    start_project();
    value("ep-main", "CREATE TABLE t AS SELECT generate_series(1, 50000) AS n");
    value("ep-main", "CREATE UNLOGGED TABLE u AS SELECT 7 AS n");
    for (int i = 0; i < 3; ++i) {
        ASSERT_OK(manager_->stop("ep-main"));
        EXPECT_EQ(manager_->status("ep-main").state, ComputeState::stopped);
        EXPECT_TRUE(processes(kRoot).empty());
        ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
        EXPECT_EQ(value("ep-main", "SELECT sum(n) FROM t"), "1250025000");
        EXPECT_EQ(value("ep-main", "SELECT n FROM u"), "7");
        value("ep-main", "UPDATE t SET n = n");
    }
    EXPECT_EQ(incarnations(), 1);
}

TEST_P(LifecycleTest, AnEndpointWokenElsewhereMakesItsStubsAnew) {
    start_project();
    value("ep-main", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    ASSERT_OK(manager_->stop("ep-main"));
    ASSERT_OK(manager_->remove("ep-main"));
    ASSERT_OK(manager_->start(spec("ep-other", kRoot)));
    EXPECT_EQ(value("ep-other", "SELECT sum(n) FROM t"), "500500");
    EXPECT_EQ(incarnations(), 1);
}

// The boot id in the marker is another one after a reboot: the map cannot be trusted any more.
TEST_P(LifecycleTest, AStopBeforeARebootLeavesNothingToReplay) {
    start_project();
    value("ep-main", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    value("ep-main", "CREATE UNLOGGED TABLE u AS SELECT 7 AS n");
    ASSERT_OK(manager_->stop("ep-main"));
    auto marker = directory_ + "/store/lineages/" + kRoot + "/00000001/clean";
    auto text = sys::read_file(sys::real_disk(), marker);
    ASSERT_OK(text);
    text->at(text->size() - 2) ^= 1;
    ASSERT_OK(sys::write_scratch(sys::real_disk(), marker, *text));
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT sum(n) FROM t"), "500500");
    EXPECT_EQ(value("ep-main", "SELECT n FROM u"), "7");
    EXPECT_EQ(value("ep-main", "SELECT timeline_id FROM pg_control_checkpoint()"), "1");
    EXPECT_EQ(incarnations(), 2);
}

TEST_P(LifecycleTest, NothingCommittedIsLostWhenTheWholeTreeIsKilled) {
    start_project();
    ExitNotice exit(*manager_);
    value("ep-main", "CREATE TABLE t (n int)");
    int rows = 0;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 20; ++i, ++rows) value("ep-main", "INSERT INTO t VALUES (1)");
        if (round == 1) value("ep-main", "CHECKPOINT");
        for (pid_t pid : processes(kRoot)) ::kill(pid, SIGKILL);
        EXPECT_EQ(exit.wait(), "ep-main");
        ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
        EXPECT_EQ(value("ep-main", "SELECT count(*) FROM t"), std::to_string(rows));
    }
    EXPECT_EQ(incarnations(), 4);
}

// Segments are 16 MiB. See compute/wal_supply.h.
TEST_P(LifecycleTest, OnlyAComputeThatWritesMuchHasWalMadeAhead) {
    start_project();
    ExitNotice exit(*manager_);
    value("ep-main", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n");
    EXPECT_EQ(unwritten_wal("00000001"), 0);
    value("ep-main",
          "CREATE TABLE wide AS SELECT n, repeat('x', 1000) FROM generate_series(1, 40000) n");
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (unwritten_wal("00000001") < 2 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_GE(unwritten_wal("00000001"), 2);
    // Commits in them outlive a crash, also that of the supervisor.
    value("ep-main",
          "INSERT INTO wide SELECT n, repeat('y', 1000) FROM generate_series(1, 60000) n");
    for (pid_t pid : processes(kRoot)) ::kill(pid, SIGKILL);
    EXPECT_EQ(exit.wait(), "ep-main");
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT count(*) FROM wide"), "100000");
    value("ep-main",
          "INSERT INTO wide SELECT n, repeat('z', 1000) FROM generate_series(1, 40000) n");
    ASSERT_OK(manager_->stop("ep-main"));
    EXPECT_EQ(unwritten_wal("00000002"), 0);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT count(*) FROM wide"), "140000");
}

TEST_P(LifecycleTest, SettingsAreTriedOutBesideARunningCompute) {
    start_project();
    auto refusal = [&](const std::string& name, const std::string& text) {
        auto checked = manager_->check_settings(GetParam(), 1, {{name, text}});
        if (checked.ok()) return std::string("none");
        EXPECT_EQ(checked.error().code(), Code::invalid_argument) << checked.error().text();
        return checked.error().message();
    };
    auto contains = [](const std::string& text, const std::string& part) {
        return text.find(part) != text.npos ? ::testing::AssertionSuccess()
                                            : ::testing::AssertionFailure() << text;
    };
    EXPECT_EQ(refusal("work_mem", "8MB"), "none");
    EXPECT_EQ(refusal("my_extension.switch", "on"), "none");
    EXPECT_TRUE(contains(refusal("work_mem", "much"), "invalid value for parameter \"work_mem\""));
    EXPECT_TRUE(contains(refusal("no_such_setting", "1"), "no_such_setting"));
    EXPECT_TRUE(contains(refusal("block_size", "16384"), "block_size"));
    // Too many beside the connections, too little for the segments: no value is wrong by itself.
    EXPECT_NE(refusal("max_worker_processes", "262143"), "none");
    EXPECT_TRUE(contains(refusal("min_wal_size", "2MB"), "min_wal_size"));
    EXPECT_FALSE(exists(directory_ + "/spares/settings_check"));
    EXPECT_EQ(value("ep-main", "SELECT 1"), "1");
    // What passes starts; what does not would not have.
    ASSERT_OK(manager_->stop("ep-main"));
    auto wanted = spec("ep-main", kRoot);
    wanted.pg_settings = {{"min_wal_size", "2MB"}};
    EXPECT_FALSE(manager_->start(wanted).ok());
    wanted.pg_settings = {{"work_mem", "8MB"}};
    ASSERT_OK(manager_->start(wanted));
    EXPECT_EQ(value("ep-main", "SHOW work_mem"), "8MB");
}

TEST_P(LifecycleTest, APostmasterKilledAloneLeavesNoOrphan) {
    start_project();
    ExitNotice exit(*manager_);
    value("ep-main", "CREATE TABLE t AS SELECT 5 AS n");
    auto pid = std::stoi(
        *sys::read_file(sys::real_disk(), directory_ + "/endpoints/ep-main/pgdata/postmaster.pid"));
    ::kill(pid, SIGKILL);
    EXPECT_EQ(exit.wait(), "ep-main");
    EXPECT_TRUE(processes(kRoot).empty());
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT n FROM t"), "5");
}

TEST_P(LifecycleTest, ASupervisorKilledAloneIsReplacedAndFencesTheRest) {
    start_project();
    ExitNotice exit(*manager_);
    value("ep-main", "CREATE TABLE t AS SELECT 5 AS n");
    // The one that is not a postgres.
    for (pid_t pid : processes(kRoot)) {
        auto name = sys::read_file(sys::real_disk(), "/proc/" + std::to_string(pid) + "/comm");
        if (name && !name->starts_with("postgres")) ::kill(pid, SIGKILL);
    }
    EXPECT_EQ(exit.wait(), "ep-main");
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT n FROM t"), "5");
}

TEST_P(LifecycleTest, ARunningComputeIsAdoptedByTheNextServer) {
    start_project();
    value("ep-main", "CREATE TABLE t AS SELECT 5 AS n");
    auto pid = value("ep-main", "SELECT pg_postmaster_start_time()");
    restart_server();
    ASSERT_OK(manager_->adopt({spec("ep-main", kRoot)}));
    EXPECT_EQ(manager_->status("ep-main").state, ComputeState::running);
    EXPECT_EQ(value("ep-main", "SELECT pg_postmaster_start_time()"), pid);
    ASSERT_OK(manager_->stop("ep-main"));
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT n FROM t"), "5");
}

// The supervisor is dead, the postmaster with it, and a backend works on in the directory.
TEST_P(LifecycleTest, RemovingAnEndpointEndsItsOrphans) {
    start_project();
    auto working = std::async(std::launch::async, [&] {
        return manager_->query("ep-main", "databricks_postgres",
                               "SELECT count(*) FROM generate_series(1, 1000000000)");
    });
    while (value("ep-main",
                 "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
                 "'%generate_series(1, 1000000000)' AND state = 'active'") != "1")
        std::this_thread::yield();
    ::kill(supervisor_of(kRoot), SIGKILL);
    ASSERT_OK(manager_->remove("ep-main"));
    EXPECT_TRUE(processes(kRoot).empty());
    EXPECT_FALSE(working.get().ok());
}

// A server that ends does not wait for a supervisor that hangs.
TEST_P(LifecycleTest, ASupervisorThatHangsDoesNotHoldUpTheServersEnd) {
    start_project();
    pid_t supervisor = supervisor_of(kRoot);
    ASSERT_NE(supervisor, 0);
    ::kill(supervisor, SIGSTOP);
    auto stopping = std::async(std::launch::async, [&] { return manager_->stop("ep-main"); });
    manager_->let_go();
    auto stopped = stopping.get();
    ASSERT_FALSE(stopped.ok());
    EXPECT_EQ(stopped.error().code(), Code::unavailable);
    EXPECT_EQ(manager_->start(spec("ep-main", kRoot)).error().code(), Code::unavailable);
    ::kill(supervisor, SIGCONT);
    restart_server();
    ASSERT_OK(manager_->adopt({spec("ep-main", kRoot)}));
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT 1"), "1");
}

TEST_P(LifecycleTest, AnUnknownComputeIsRemovedByTheNextServer) {
    start_project();
    restart_server();
    ASSERT_OK(manager_->adopt({}));
    EXPECT_TRUE(processes(kRoot).empty());
    EXPECT_FALSE(exists(directory_ + "/endpoints/ep-main"));
}

TEST_P(LifecycleTest, ASecondEndpointOnTheLineageIsRefused) {
    start_project();
    auto second = manager_->start(spec("ep-second", kRoot));
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code(), Code::conflict);
    EXPECT_EQ(value("ep-main", "SELECT 1"), "1");
}

TEST_P(LifecycleTest, WalCutShortIsRefusedAndNotOpened) {
    start_project();
    ExitNotice exit(*manager_);
    value("ep-main", "CREATE TABLE t AS SELECT generate_series(1, 10000) AS n");
    for (pid_t pid : processes(kRoot)) ::kill(pid, SIGKILL);
    EXPECT_EQ(exit.wait(), "ep-main");
    auto wal = directory_ + "/store/lineages/" + kRoot + "/00000001/wal/";
    auto names = sys::list_names_if_any(sys::real_disk(), wal);
    ASSERT_OK(names);
    // A lost page in the middle: plain crash recovery would open with a part of the rows.
    for (const auto& name : *names) {
        if (name.size() != 24) continue;
        auto bytes = sys::read_file(sys::real_disk(), wal + name);
        ASSERT_OK(bytes);
        auto last = bytes->find_last_not_of('\0');
        if (last == std::string::npos) continue;
        std::fill_n(bytes->begin() + static_cast<long>(last / 8192 * 8192 - 8192), 8192, '\0');
        ASSERT_OK(sys::write_scratch(sys::real_disk(), wal + name, *bytes));
    }
    auto started = manager_->start(spec("ep-main", kRoot));
    ASSERT_FALSE(started.ok());
    EXPECT_EQ(started.error().code(), Code::data_loss) << started.error().text();
    EXPECT_EQ(manager_->status("ep-main").state, ComputeState::failed);
}

TEST_P(LifecycleTest, WhatRecoveryFindsDamagedIsNamedAndNotOpened) {
    start_project();
    ExitNotice exit(*manager_);
    value("ep-main", "CREATE TABLE t AS SELECT generate_series(1, 10000) AS n");
    auto table = value("ep-main", "SELECT pg_relation_filepath('t')");
    value("ep-main", "CHECKPOINT");
    value("ep-main", "UPDATE t SET n = n + 1");  // is redone on the pages of the restore point
    for (pid_t pid : processes(kRoot)) ::kill(pid, SIGKILL);
    EXPECT_EQ(exit.wait(), "ep-main");
    auto incarnation = directory_ + "/store/lineages/" + kRoot + "/00000001/";
    auto names = sys::list_names(sys::real_disk(), incarnation);
    ASSERT_OK(names);
    std::sort(names->begin(), names->end());
    auto newest = [&](std::string_view suffix) {
        std::string last;
        for (const std::string& name : *names)
            if (name.ends_with(suffix)) last = name;
        return last;
    };
    for (const auto& [name, says] : {std::pair(newest(".restore"), newest(".restore")),
                                     std::pair(newest(".pages"), "\"" + table + "\"")}) {
        std::string path = incarnation + name;
        auto whole = sys::read_file(sys::real_disk(), path);
        ASSERT_OK(whole);
        for (bool cut : {true, false}) {
            SCOPED_TRACE(path + (cut ? " cut short" : " zeroed"));
            std::filesystem::resize_file(path, cut ? whole->size() / 64 : 0);
            if (!cut) std::filesystem::resize_file(path, whole->size());
            auto started = manager_->start(spec("ep-main", kRoot));
            std::string said = started.ok() ? "opened" : started.error().text();
            EXPECT_NE(said.find(says), std::string::npos) << said;
            std::ofstream(path, std::ios::binary) << *whole;
        }
    }
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT sum(n) FROM t"), "50015000");
}

INSTANTIATE_TEST_SUITE_P(Postgres, LifecycleTest, ::testing::Values(16, 17, 18),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace tarn::compute::testing
