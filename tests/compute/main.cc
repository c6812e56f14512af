#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "base/log.h"
#include "compute/fence.h"
#include "compute/supervisor.h"
#include "pg/test_cluster.h"
#include "sys/files.h"
#include "world.h"

namespace tarn::compute::testing {

void ComputeTest::SetUp() {
    TARN_NEED_POSTGRES(GetParam());
    auto binaries = pg::testing::find_binaries(GetParam());
    char name[] = "/tmp/tarn-compute-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    ::chmod(name, 0755);
    options_.data_directory = directory_;
    options_.postgres_directories = {*binaries};
    options_.shim = TARN_SHIM_FILE;
    options_.supervisor_command = {std::filesystem::read_symlink("/proc/self/exe").string(),
                                   "supervise"};
    options_.shared_buffers = "16MB";
    options_.wal_compression_round = std::chrono::milliseconds{100};
    restart_server();
}

void ComputeTest::TearDown() {
    if (manager_) {
        auto uids = sys::list_names_if_any(sys::real_disk(), directory_ + "/endpoints");
        for (const auto& uid : uids ? *uids : std::vector<std::string>{}) {
            if (HasFailure()) std::fprintf(stderr, "%s\n", log_of(uid).c_str());
            EXPECT_TRUE(manager_->remove(uid).ok());
        }
    }
    manager_.reset();
    if (!directory_.empty() && !HasFailure()) std::filesystem::remove_all(directory_);
}

void ComputeTest::restart_server() {
    manager_.reset();
    auto manager = Manager::open(options_);
    ASSERT_OK(manager);
    manager_ = std::move(*manager);
    ASSERT_EQ(manager_->majors(), std::vector<int>{GetParam()});
}

void ComputeTest::move_to(const std::string& data_directory) {
    options_.data_directory = data_directory;
    restart_server();
}

ComputeSpec ComputeTest::spec(const std::string& uid, const LineageId& lineage) const {
    ComputeSpec spec;
    spec.endpoint_uid = uid;
    spec.lineage = lineage;
    spec.pg_major = GetParam();
    return spec;
}

void ComputeTest::start_project() {
    ASSERT_OK(manager_->create_root(kRoot, GetParam()));
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
}

std::string ComputeTest::value(const std::string& uid, const std::string& sql,
                               const std::string& database) {
    auto rows = manager_->query(uid, database, sql);
    if (!rows) {
        ADD_FAILURE() << sql << ": " << rows.error().text();
        return rows.error().text();
    }
    return rows->empty() || rows->front().empty() ? "" : rows->front().front();
}

std::vector<pid_t> ComputeTest::processes(const LineageId& lineage) const {
    return holders(directory_ + "/store/lineages/" + lineage + "/lock");
}

void ComputeTest::kill_compute(const std::string& uid, const LineageId& lineage) {
    for (pid_t pid : processes(lineage)) ::kill(pid, SIGKILL);
    // The lock, not processes(): the kernel hides a dying process's files before it closes them.
    auto lock = lineage_lock_path(directory_ + "/store", *parse_lineage_id(lineage));
    while (is_held(lock) || manager_->status(uid).state == ComputeState::running)
        std::this_thread::yield();
}

std::string ComputeTest::log_of(const std::string& uid) const {
    auto directory = directory_ + "/endpoints/" + uid + "/log/";
    auto postgres = sys::read_file(sys::real_disk(), directory + "postgres.log");
    auto supervisor = sys::read_file(sys::real_disk(), directory + "supervisor.log");
    return "--- " + uid + "\n" + (supervisor ? *supervisor : "") + (postgres ? *postgres : "");
}

}  // namespace tarn::compute::testing

int main(int argc, char** argv) {
    if (argc == 3 && ::strcmp(argv[1], "supervise") == 0)
        return tarn::compute::supervise(argv[2], tarn::compute::kControlDescriptor);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
