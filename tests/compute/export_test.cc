// Exports of a stopped and of a running lineage, opened by stock PostgreSQL; and what is refused.

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "compute/export.h"
#include "compute/layout.h"
#include "compute/run.h"
#include "pg/test_cluster.h"
#include "store/paths.h"
#include "sys/files.h"
#include "world.h"

namespace tarn::compute::testing {
namespace {

namespace fs = std::filesystem;

class ExportTest : public ComputeTest {
  protected:
    void SetUp() override {
        ComputeTest::SetUp();
        if (HasFatalFailure()) return;
        start_project();
        value("ep-main", "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n");
        value("ep-main", "CHECKPOINT");
        value("ep-main", "DELETE FROM t WHERE n > 900");
        target_.directory = directory_ + "/exported";
        auto user = find_compute_user("");
        ASSERT_OK(user);
        target_.owner = *user;
        auto binaries = pg::testing::find_binaries(GetParam());
        target_.postgres = {GetParam(), "", *binaries};
    }
    Result<void> run() {
        auto open = [&]() -> Result<std::pair<store::Store, MomentSource>> {
            ActAs acting(target_.owner);
            auto store = TRY(store::Store::open(sys::real_disk(), directory_ + "/store"));
            auto source = TRY(find_moment(store, TRY(parse_lineage_id(kRoot)), Newest{}));
            return std::pair(std::move(store), std::move(source));
        };
        auto [store, source] = TRY(open());
        source_ = source.point.id;
        return export_moment(store, source, target_);
    }
    // What stock PostgreSQL, started on the export, answers.
    std::string asked(const std::string& sql) {
        auto output = compute::run({.command = {target_.postgres.postgres(), "--single", "-D",
                                                target_.directory, "databricks_postgres"},
                                    .environment = {"LANG=C.UTF-8"},
                                    .user = &target_.owner,
                                    .input = sql + "\n"});
        return output ? *output : output.error().text();
    }

    ExportTarget target_;
    store::RestorePointId source_;
};

TEST_P(ExportTest, StockPostgresOpensWhatWasThere) {
    ASSERT_OK(run());
    for (const auto& entry : fs::recursive_directory_iterator(target_.directory)) {
        struct stat status {};
        ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777, entry.is_directory() ? 0700u : 0600u) << entry.path();
        EXPECT_EQ(status.st_uid, target_.owner.uid) << entry.path();
    }
    EXPECT_FALSE(fs::exists(target_.directory + "/recovery.signal"));
    auto output = asked("SELECT count(*) FROM t");
    EXPECT_NE(output.find("count = \"900\""), output.npos) << output;
    // The branch runs on, and knows nothing of it.
    EXPECT_EQ(value("ep-main", "SELECT count(*) FROM t"), "900");
}

TEST_P(ExportTest, ATargetThatHoldsSomethingIsRefused) {
    fs::create_directory(target_.directory);
    std::ofstream(target_.directory + "/mine") << "precious";
    auto refused = run();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), Code::bad_request) << refused.error().text();
    EXPECT_TRUE(fs::exists(target_.directory + "/mine"));
    target_.directory += "/mine";
    refused = run();
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message().find("is no directory"), std::string::npos);
}

TEST_P(ExportTest, DamageIsRefusedAndNothingIsLeft) {
    ASSERT_OK(manager_->stop("ep-main"));
    ASSERT_OK(run());
    fs::remove_all(target_.directory);
    // Every page of the lineage's own log.
    std::string pages =
        store::segment_path((directory_ + "/store").c_str(), source_.log, 0, false).text;
    {
        std::fstream file(pages, std::ios::in | std::ios::out | std::ios::binary);
        for (std::streamoff at = 100; at < 1 << 20; at += 8192) {
            file.seekg(at);
            int byte = file.get();
            if (!file) break;
            file.seekp(at);
            file.put(static_cast<char>(byte ^ 1));
        }
    }
    auto refused = run();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), Code::data_loss) << refused.error().text();
    EXPECT_FALSE(fs::exists(target_.directory));
    // A directory that was there stays, empty.
    fs::create_directory(target_.directory);
    ASSERT_FALSE(run().ok());
    EXPECT_TRUE(fs::is_empty(target_.directory));
}

INSTANTIATE_TEST_SUITE_P(Majors, ExportTest, ::testing::Values(16, 17, 18));

}  // namespace
}  // namespace tarn::compute::testing
