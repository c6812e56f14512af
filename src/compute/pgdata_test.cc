#include "compute/pgdata.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <unistd.h>
#include <cstdlib>

#include <filesystem>
#include <map>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "compute/files.h"
#include "pg/control_file.h"
#include "pg/relation_path.h"
#include "sys/files.h"

namespace tarn::compute {
namespace {

namespace fs = std::filesystem;

class PgdataTest : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/tarn-pgdata-XXXXXX";
        directory_ = ::mkdtemp(name);
        pgdata_ = directory_ + "/pgdata";
        add({.tablespace = pg::kDefaultTablespace, .database = 5, .relation = 1259}, 3);
        add({.tablespace = pg::kDefaultTablespace,
             .database = 5,
             .relation = 1259,
             .fork = pg::Fork::visibility},
            0);
        add({.tablespace = pg::kGlobalTablespace, .relation = 1262}, 1);
        add({.tablespace = 16400, .database = 5, .relation = 16401}, 2);
        point_.files.push_back(
            {.id = pg::file_id(pg::SlruFile{.kind = pg::SlruKind::xact}), .birth = 1, .length = 1});
        for (const char* path : {"PG_VERSION", "global/pg_filenode.map", "base/5/PG_VERSION",
                                 "base/5/pg_filenode.map"})
            point_.attachments[std::string("file:") + path] = std::string("of ") + path;
        point_.attachments["file:pg_twophase/0000000000000301"] = twophase_file();
        point_.attachments["control"] = "not a file";
    }
    void TearDown() override { fs::remove_all(directory_); }
    static std::string twophase_file() {
        std::string whole(100, 'x');
        put(whole.data(), 0, uint32_t{0x57f94534});
        put(whole.data(), 4, static_cast<uint32_t>(whole.size()));
        put(whole.data(), 96, crc32c(0, whole.data(), 96));
        return whole;
    }
    void add(const pg::RelationFile& file, uint32_t length) {
        point_.files.push_back({.id = pg::file_id(file), .birth = 1, .length = length});
    }

    std::string directory_, pgdata_;
    store::RestorePoint point_;
};

TEST_F(PgdataTest, StubsHaveTheirLengthAndNoBytes) {
    auto made = materialise(pgdata_, directory_ + "/wal", 17, point_);
    ASSERT_TRUE(made.ok()) << made.error().text();
    const std::pair<const char*, uint64_t> stubs[] = {
        {"base/5/1259", 3},
        {"base/5/1259_vm", 0},
        {"global/1262", 1},
        {"pg_tblspc/16400/PG_17_202406281/5/16401", 2},
        {"pg_xact/0000", 1}};
    for (auto [path, blocks] : stubs) {
        struct stat status {};
        ASSERT_EQ(::stat((pgdata_ + "/" + path).c_str(), &status), 0) << path;
        EXPECT_EQ(static_cast<uint64_t>(status.st_size), blocks * 8192) << path;
        EXPECT_EQ(status.st_blocks, 0) << path;
    }
    EXPECT_EQ(fs::read_symlink(pgdata_ + "/pg_wal"), directory_ + "/wal");
    for (const char* path : {"pg_subtrans", "pg_notify", "pg_logical/snapshots", "pg_replslot"})
        EXPECT_TRUE(fs::is_directory(pgdata_ + "/" + path)) << path;
}

// The next checkpoint is writing it: what was prepared then is in WAL after this one.
TEST_F(PgdataTest, ATwophaseFileThatIsHalfWrittenIsLeftOut) {
    ASSERT_TRUE(materialise(pgdata_, directory_ + "/wal", 17, point_).ok());
    auto path = pgdata_ + "/pg_twophase/0000000000000302";
    for (size_t size : {0u, 50u, 99u}) {
        ASSERT_TRUE(
            sys::write_scratch(sys::real_disk(), path, twophase_file().substr(0, size)).ok());
        auto found = small_files(pgdata_, false);
        ASSERT_TRUE(found.ok()) << found.error().text();
        EXPECT_FALSE(found->contains("file:pg_twophase/0000000000000302")) << size;
        EXPECT_TRUE(found->contains("file:pg_twophase/0000000000000301")) << size;
    }
}

TEST_F(PgdataTest, WithoutTheShimTheControlFileIsNone) {
    ASSERT_TRUE(materialise(pgdata_, directory_ + "/wal", 17, point_).ok());
    auto bytes = sys::read_file(sys::real_disk(), pgdata_ + "/global/pg_control");
    ASSERT_TRUE(bytes.ok());
    ASSERT_EQ(bytes->size(), pg::kControlFileSize);
    EXPECT_FALSE(
        pg::decode_control_file(std::as_bytes(std::span(bytes->data(), bytes->size()))).ok());
}

TEST_F(PgdataTest, SmallFilesGoThereAndBack) {
    ASSERT_TRUE(materialise(pgdata_, directory_ + "/wal", 17, point_).ok());
    for (const char* path : {"pg_stat/pgstat.stat", "pg_internal.init", "base/5/pg_internal.init",
                             "global/pg_internal.init", "postmaster.opts"})
        ASSERT_TRUE(sys::write_scratch(sys::real_disk(), pgdata_ + "/" + path, "x").ok());
    auto running = small_files(pgdata_, false);
    ASSERT_TRUE(running.ok()) << running.error().text();
    auto expected = point_.attachments;
    expected.erase("control");
    EXPECT_EQ(*running, expected);
    auto stopped = small_files(pgdata_, true);
    ASSERT_TRUE(stopped.ok());
    expected["file:pg_stat/pgstat.stat"] = "x";
    EXPECT_EQ(*stopped, expected);
}

TEST_F(PgdataTest, AnOldDirectoryIsMadeRight) {
    auto old = point_;
    old.files[0].length = 9;  // to be cut
    old.files.pop_back();     // pg_xact/0000, to be made
    old.files.push_back({.id = pg::file_id(pg::RelationFile{
                             .tablespace = pg::kDefaultTablespace, .database = 77, .relation = 4}),
                         .birth = 1,
                         .length = 1});  // to go
    ASSERT_TRUE(materialise(pgdata_, directory_ + "/old-wal", 17, old).ok());
    struct stat before {};
    ASSERT_EQ(::stat((pgdata_ + "/base/5/1259").c_str(), &before), 0);
    // What a life leaves behind, and a stub that somebody has written to.
    ASSERT_TRUE(make_directories(pgdata_ + "/base/77/nested").ok());
    ASSERT_TRUE(sys::write_scratch(sys::real_disk(), pgdata_ + "/base/77/nested/file", "x").ok());
    ASSERT_TRUE(sys::write_scratch(sys::real_disk(), pgdata_ + "/base/5/t3_16500", "x").ok());
    ASSERT_TRUE(
        sys::write_scratch(sys::real_disk(), pgdata_ + "/global/1262", std::string(8192, 'x'))
            .ok());
    ASSERT_EQ(::symlink("/etc", (pgdata_ + "/base/9").c_str()), 0);
    fs::remove(pgdata_ + "/PG_VERSION");
    fs::create_directory(pgdata_ + "/PG_VERSION");

    auto made = materialise(pgdata_, directory_ + "/wal", 17, point_);
    ASSERT_TRUE(made.ok()) << made.error().text();
    auto fresh = directory_ + "/fresh";
    ASSERT_TRUE(materialise(fresh, directory_ + "/wal", 17, point_).ok());
    auto listing = [](const std::string& root) {
        std::map<std::string, std::string> found;
        for (const auto& each : fs::recursive_directory_iterator(root)) {
            auto path = each.path().string();
            std::string what = "directory";
            if (each.is_symlink())
                what = "to " + fs::read_symlink(each).string();
            else if (each.is_regular_file())
                what = *sys::read_file(sys::real_disk(), path);
            found[path.substr(root.size())] = what;
        }
        return found;
    };
    EXPECT_EQ(listing(pgdata_), listing(fresh));
    struct stat after {};
    ASSERT_EQ(::stat((pgdata_ + "/base/5/1259").c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(PgdataTest, AHostileRestorePointStaysBelowTheDirectory) {
    for (const char* path : {"../escaped", "/tmp/escaped", "base/../../escaped", ""}) {
        auto hostile = point_;
        hostile.attachments[std::string("file:") + path] = "x";
        auto made = materialise(pgdata_, directory_ + "/wal", 17, hostile);
        EXPECT_FALSE(made.ok()) << path;
        EXPECT_FALSE(exists(directory_ + "/escaped"));
        fs::remove_all(pgdata_);
    }
    point_.files.push_back({.id = {1, 1}, .birth = 1, .length = 1});  // no such kind of file
    point_.files.back().id = {~uint64_t{0}, ~uint64_t{0}};
    auto made = materialise(pgdata_, directory_ + "/wal", 17, point_);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code(), Code::data_loss);
}

}  // namespace
}  // namespace tarn::compute
