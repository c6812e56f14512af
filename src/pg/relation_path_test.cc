#include "pg/relation_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "pg/test_random.h"

namespace tarn::pg {
namespace {

constexpr std::string_view kVersion = "PG_17_202406281";

std::string path_of(FileId id) {
    char buffer[kMaxPathSize];
    size_t length = format_path(id, kVersion, buffer, sizeof buffer);
    return {buffer, length};
}

PathKind kind_of(std::string_view path) {
    return classify_path(path, kVersion).kind;
}

TEST(RelationPath, ReadsEveryKindOfRelationFile) {
    struct Case {
        const char* path;
        RelationFile file;
    };
    for (const Case& each : std::initializer_list<Case>{
             {"base/5/1259", {1663, 5, 1259, Fork::main, 0}},
             {"base/5/1259_fsm", {1663, 5, 1259, Fork::free_space, 0}},
             {"base/5/1259_vm", {1663, 5, 1259, Fork::visibility, 0}},
             {"base/16384/16390_init", {1663, 16384, 16390, Fork::init, 0}},
             {"base/16384/16390.1", {1663, 16384, 16390, Fork::main, 1}},
             {"base/16384/16390_fsm.32767", {1663, 16384, 16390, Fork::free_space, 32767}},
             {"base/4294967295/4294967295.16777215",
              {1663, UINT32_MAX, UINT32_MAX, Fork::main, kMaxSegment}},
             {"global/1262", {1664, 0, 1262, Fork::main, 0}},
             {"global/1262_vm", {1664, 0, 1262, Fork::visibility, 0}},
             {"pg_tblspc/16500/PG_17_202406281/5/2619.3", {16500, 5, 2619, Fork::main, 3}}}) {
        auto found = classify_path(each.path, kVersion);
        ASSERT_EQ(found.kind, PathKind::relation) << each.path;
        RelationFile file;
        ASSERT_TRUE(relation_of(found.id, &file)) << each.path;
        EXPECT_EQ(file, each.file) << each.path;
        EXPECT_EQ(path_of(found.id), each.path);
        EXPECT_FALSE(is_slru(found.id));
    }
}

TEST(RelationPath, ReadsEveryKindOfSlruFile) {
    struct Case {
        const char* path;
        SlruFile file;
    };
    for (const Case& each : std::initializer_list<Case>{
             {"pg_xact/0000", {SlruKind::xact, 0, false}},
             {"pg_xact/0FFF", {SlruKind::xact, 0xfff, false}},
             {"pg_multixact/offsets/FFFF", {SlruKind::multixact_offsets, 0xffff, false}},
             {"pg_multixact/members/14078", {SlruKind::multixact_members, 0x14078, false}},
             {"pg_commit_ts/ABCDEF", {SlruKind::commit_ts, 0xabcdef, false}},
             {"pg_xact/000000000000012", {SlruKind::xact, 0x12, true}},
             {"pg_xact/FFFFFFFFFFFFFFF", {SlruKind::xact, 0xfffffffffffffff, true}}}) {
        auto found = classify_path(each.path, kVersion);
        ASSERT_EQ(found.kind, PathKind::slru) << each.path;
        SlruFile file;
        ASSERT_TRUE(slru_of(found.id, &file)) << each.path;
        EXPECT_EQ(file, each.file) << each.path;
        EXPECT_EQ(path_of(found.id), each.path);
        RelationFile none;
        EXPECT_FALSE(relation_of(found.id, &none));
    }
}

TEST(RelationPath, RecognisesTheOtherFilesThatTheShimTreatsApart) {
    EXPECT_EQ(kind_of("global/pg_control"), PathKind::control_file);
    EXPECT_EQ(kind_of("global/pg_filenode.map"), PathKind::relation_map);
    EXPECT_EQ(kind_of("base/5/pg_filenode.map"), PathKind::relation_map);
    EXPECT_EQ(kind_of("pg_tblspc/16500/PG_17_202406281/5/pg_filenode.map"), PathKind::relation_map);
    EXPECT_EQ(kind_of("base/5/t3_16384"), PathKind::temporary_relation);
    EXPECT_EQ(kind_of("base/5/t12_16384_fsm.1"), PathKind::temporary_relation);
    EXPECT_EQ(kind_of("pg_wal/00000001000000000000000A"), PathKind::wal_segment);
}

TEST(RelationPath, LeavesEverythingElseNative) {
    for (const char* path : {"",
                             "/",
                             ".",
                             "base",
                             "base/",
                             "base/5",
                             "base/5/",
                             "base/5/1259/",
                             "base/5/1259/x",
                             "base/0/1259",
                             "base/5/0",
                             "base/05/1259",
                             "base/5/01259",
                             "base/5/1259.0",
                             "base/5/1259.01",
                             "base/5/1259.",
                             "base/5/1259.16777216",
                             "base/5/4294967296",
                             "base/4294967296/1",
                             "base/5/99999999999999999999999999",
                             "base/5/1259_FSM",
                             "base/5/1259_fsmx",
                             "base/5/1259_",
                             "base/5/1259_vm_fsm",
                             "base/5/-1",
                             "base/5/+1",
                             "base/5/1259 ",
                             "base/5/PG_VERSION",
                             "base/5/pg_internal.init",
                             "base/pgsql_tmp/pgsql_tmp1.0",
                             "base/5/t3_0",
                             "base/5/t_16384",
                             "base/5/t3_",
                             "base/5/t3",
                             "base/5/../5/1259",
                             "/base/5/1259",
                             "global/t3_16384",
                             "global/pg_control.old",
                             "global/pg_internal.init",
                             "pg_tblspc/16500/PG_16_202307071/5/2619",
                             "pg_tblspc/16500/PG_17_202406281/pgsql_tmp/x",
                             "pg_tblspc/16500/PG_17_202406281/5",
                             "pg_tblspc/16500",
                             "pg_tblspc/1663/PG_17_202406281/5/2619",
                             "pg_tblspc/1664/PG_17_202406281/5/2619",
                             "pg_xact",
                             "pg_xact/000",
                             "pg_xact/00000",
                             "pg_xact/0FFFFF",
                             "pg_xact/abcd",
                             "pg_xact/0000000",
                             "pg_xact/000G",
                             "pg_xact/0000/1",
                             "pg_multixact/0000",
                             "pg_multixact/offsets",
                             "pg_multixact/other/0000",
                             "pg_subtrans/0000",
                             "pg_notify/000000000000000",
                             "pg_serial/0000",
                             "pg_wal/xlogtemp.12",
                             "pg_wal/00000002.history",
                             "pg_wal/00000001000000000000000a",
                             "pg_wal/archive_status/00000001000000000000000A",
                             "pg_twophase/00000001",
                             "PG_VERSION",
                             "postgresql.conf"})
        EXPECT_EQ(kind_of(path), PathKind::other) << path;
}

TEST(RelationPath, ToleratesDotsAndDoubledSlashesAsTheKernelDoes) {
    auto plain = classify_path("base/5/1259", kVersion).id;
    EXPECT_EQ(classify_path("./base/5/1259", kVersion).id, plain);
    EXPECT_EQ(classify_path("base//5/./1259", kVersion).id, plain);
}

TEST(RelationPath, OrdersByTablespaceDatabaseRelationForkAndSegment) {
    std::vector<RelationFile> files;
    for (uint32_t space : {1663u, 1664u, 16500u})
        for (uint32_t database : {0u, 5u, 0xffffffffu})
            for (uint32_t relation : {1u, 1259u, 0xfffffffeu})
                for (Fork fork : {Fork::main, Fork::free_space, Fork::visibility, Fork::init})
                    for (uint32_t segment : {0u, 1u, kMaxSegment})
                        files.push_back({space, database, relation, fork, segment});
    EXPECT_TRUE(std::is_sorted(files.begin(), files.end(),
                               [](auto& a, auto& b) { return file_id(a) < file_id(b); }));
    EXPECT_LT(file_id(SlruFile{SlruKind::commit_ts, 0xfff, true}), file_id(files.front()));
}

TEST(RelationPath, FormatsNothingForAnIdThatIsNoFileOrABufferThatIsTooSmall) {
    char buffer[kMaxPathSize];
    EXPECT_FALSE(FileId{}.valid());
    for (FileId id : {FileId{}, FileId{5, 0}, FileId{1, 0x1000000}, FileId{1, 1ull << 62},
                      FileId{uint64_t{1663} << 32, uint64_t{7} << 32},      // no database
                      FileId{uint64_t{1664} << 32 | 5, uint64_t{7} << 32},  // a database
                      FileId{uint64_t{1663} << 32 | 5, 0},                  // no relation
                      FileId{uint64_t{1663} << 32 | 5, uint64_t{7} << 32 | 4 << 24}})  // no fork
        EXPECT_EQ(format_path(id, kVersion, buffer, sizeof buffer), 0u) << id.hi << " " << id.lo;
    auto id = classify_path("base/5/1259", kVersion).id;
    EXPECT_EQ(format_path(id, kVersion, buffer, 11), 0u);
    EXPECT_EQ(format_path(id, kVersion, buffer, 12), 11u);
    EXPECT_STREQ(buffer, "base/5/1259");
}

TEST(RelationPath, LongestPathFits) {
    RelationFile file{UINT32_MAX, UINT32_MAX, UINT32_MAX, Fork::init, kMaxSegment};
    auto path = path_of(file_id(file));
    EXPECT_FALSE(path.empty());
    EXPECT_EQ(classify_path(path, kVersion).id, file_id(file));
}

// Whatever is classified must come back as the same path, or two names could share one file.
TEST(RelationPath, ArbitraryTextNeverMakesTwoNamesOfOneFile) {
    auto random = testing::seeded_random();
    const std::vector<std::string> starts = {"base/5/1259",
                                             "base/5/1259_fsm.1",
                                             "global/1262",
                                             "pg_tblspc/16500/PG_17_202406281/5/1",
                                             "pg_xact/0000",
                                             "pg_multixact/members/14078",
                                             "pg_commit_ts/00000000000000A"};
    const std::vector<std::string> tokens = {"/", "_fsm", "_vm", "_init", ".", "0", "1",
                                             "9", "A",    "F",   "a",     "t", "./"};
    size_t files = 0;
    for (int round = 0; round < 300000; ++round) {
        std::string path = starts[random() % starts.size()];
        for (size_t changes = 1 + random() % 3; changes > 0; --changes) {
            size_t at = random() % (path.size() + 1);
            path.replace(at, random() % 3, tokens[random() % tokens.size()]);
        }
        auto found = classify_path(path, kVersion);
        if (!found.id.valid()) continue;
        ++files;
        std::string canonical;  // what the tolerance of "//" and "." allows
        for (size_t i = 0; i < path.size(); ++i) {
            bool at_start = canonical.empty() || canonical.ends_with('/');
            if (at_start && path[i] == '/') continue;
            if (at_start && path.compare(i, 2, "./") == 0)
                ++i;
            else
                canonical += path[i];
        }
        ASSERT_EQ(path_of(found.id), canonical) << path;
    }
    EXPECT_GT(files, 1000u);
}

}  // namespace
}  // namespace tarn::pg
