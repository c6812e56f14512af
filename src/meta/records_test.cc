#include "meta/records.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "meta/branches.h"
#include "meta/databases.h"
#include "meta/endpoints.h"
#include "meta/operations.h"
#include "meta/projects.h"
#include "meta/roles.h"
#include "meta/settings.h"
#include "meta/snapshots.h"
#include "meta/sqlite.h"
#include "meta/users.h"

namespace tarn::meta {
namespace {

using Names = std::set<RecordName>;

class RecordsTest : public testing::Test {
  protected:
    RecordsTest() {
        std::string pattern = testing::TempDir() + "tarn-records-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        meta_ = open("meta.db");
        auto watched = meta_->watch([this](const Names& names) { told_.push_back(names); });
        EXPECT_TRUE(watched.ok()) << (watched.ok() ? "" : watched.error().text());
    }
    ~RecordsTest() override { std::filesystem::remove_all(directory_); }

    std::unique_ptr<Meta> open(const std::string& name) {
        auto opened = Meta::open(directory_ + "/" + name);
        EXPECT_TRUE(opened.ok()) << opened.error().text();
        return std::move(opened).value();
    }
    // The records that a transaction changed.
    template <class Body>
    Names write(Body body) {
        told_.clear();
        auto result = meta_->write(body);
        EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().text());
        EXPECT_LE(told_.size(), 1u);
        return told_.empty() ? Names{} : told_[0];
    }
    static std::map<std::string, std::string> all(Meta& meta) {
        auto records = meta.read([](Session& s) -> Result<std::map<std::string, std::string>> {
            std::map<std::string, std::string> bytes;
            for (const RecordName& name : TRY(all_records(s)))
                if (auto record = TRY(encode_record(s, name))) bytes[name.text()] = *record;
            return bytes;
        });
        EXPECT_TRUE(records.ok()) << records.error().text();
        return *records;
    }

    static Time at(int64_t seconds) { return Time{std::chrono::seconds{seconds}}; }
    static Result<void> fill(Session& s) {
        TRY(set_setting(s, "workspace_id", "1234"));
        UserRow user;
        user.id = int64_t{1} << 51;
        user.user_name = user.display_name = "ann@example.com";
        TRY(insert_user(s, user));
        TokenRow token;
        token.id = "t";
        token.user_id = user.id;
        token.hash = std::string("\0\xff\x80'", 4);
        TRY(insert_token(s, token));
        ProjectRow project;
        project.uid = "uid-of-p";
        project.id = "p";
        project.display_name = "Grüße \"quoted\"\n";
        project.default_min_cu = 0.1;
        project.default_max_cu = 2;
        TRY(insert_project(s, project));
        BranchRow branch;
        branch.uid = "br-1";
        branch.project_uid = project.uid;
        branch.id = "production";
        branch.lineage = "lineage";
        branch.source_lsn = Lsn{0xffff'ffff'ffff'fff0};
        TRY(insert_branch(s, branch));
        EndpointRow endpoint;
        endpoint.uid = "ep-1";
        endpoint.branch_uid = branch.uid;
        endpoint.id = "primary";
        endpoint.address = "127.64.0.1";
        TRY(insert_endpoint(s, endpoint));
        RoleRow role;
        role.branch_uid = branch.uid;
        role.id = role.postgres_role = "ann";
        TRY(insert_role(s, role));
        DatabaseRow database;
        database.branch_uid = branch.uid;
        database.id = database.postgres_database = "db";
        TRY(insert_database(s, database));
        SnapshotRow snapshot;
        snapshot.uid = "snap-1";
        snapshot.project_uid = project.uid;
        snapshot.id = "s";
        snapshot.lineage = "lineage-of-s";
        TRY(insert_snapshot(s, snapshot));
        return put_snapshot_schedule(s, {branch.uid, "[]", at(5)});
    }
    static OperationRow operation(const std::string& resource_uid) {
        OperationRow row;
        row.id = "of-" + resource_uid;
        row.kind = "update_endpoint";
        row.resource_uid = resource_uid;
        row.project_uid = "uid-of-p";
        return row;
    }

    const RecordName server_{}, project_{RecordKind::project, "uid-of-p"},
        branch_{RecordKind::branch, "br-1"}, snapshot_{RecordKind::snapshot, "snap-1"};
    std::string directory_;
    std::unique_ptr<Meta> meta_;
    std::vector<Names> told_;
};

TEST_F(RecordsTest, EveryTableIsInSomeRecord) {
    auto left = meta_->read([](Session& s) { return unrecorded_tables(s); });
    ASSERT_TRUE(left.ok()) << left.error().text();
    EXPECT_EQ(*left, std::vector<std::string>{})
        << "say in records.cc whose records hold these, or that they need not be kept";
}

TEST_F(RecordsTest, WhatIsPutBackIsWhatWasThere) {
    write([](Session& s) -> Result<void> {
        TRY(fill(s));
        for (const char* uid : {"br-1", "ep-1", "uid-of-p", "snap-1"})
            TRY(insert_operation(s, operation(uid)));
        return {};
    });
    auto before = all(*meta_);
    EXPECT_EQ(before.size(), 4u);
    auto fresh = open("fresh.db");
    auto done = fresh->write([&](Session& s) -> Result<void> {
        for (const char* name : {"server", "project-uid-of-p", "branch-br-1", "snapshot-snap-1"})
            TRY(insert_record(s, TRY(decode_record(before.at(name)))));
        return {};
    });
    ASSERT_TRUE(done.ok()) << done.error().text();
    EXPECT_EQ(all(*fresh), before);
    EXPECT_EQ(fresh->read([](Session& s) { return pending_operations(s); })->size(), 4u);
    auto user = fresh->read(
        [](Session& s) { return user_of_token(s, std::string("\0\xff\x80'", 4), at(0)); });
    EXPECT_TRUE(user.ok() && *user) << "the token lets in as before";
}

TEST_F(RecordsTest, AProjectWhoseRecordIsLostIsInItsBranches) {
    write([](Session& s) { return fill(s); });
    auto record = decode_record(all(*meta_).at("branch-br-1"));
    ASSERT_TRUE(record.ok());
    auto fresh = open("fresh.db");
    auto done = fresh->write([&](Session& s) -> Result<void> {
        EXPECT_FALSE(insert_record(s, *record).ok()) << "its project is not there";
        TRY(insert_project_of(s, *record));
        return insert_record(s, *record);
    });
    ASSERT_TRUE(done.ok()) << done.error().text();
    // The branch's record may be older: nothing goes for what it says.
    auto project = *fresh->read([](Session& s) { return get_project(s, "uid-of-p"); });
    ASSERT_TRUE(project);
    EXPECT_EQ(project->state, State::ready);
    EXPECT_FALSE(project->delete_time || project->purge_time);
    EXPECT_EQ(project->history_retention, std::chrono::days(35));
    EXPECT_EQ(project->display_name, "Grüße \"quoted\"\n");
}

TEST_F(RecordsTest, EachChangeIsToldOnceItIsCommitted) {
    EXPECT_EQ(write([](Session& s) { return fill(s); }),
              (Names{server_, project_, branch_, snapshot_}));
    EXPECT_EQ(write([](Session& s) { return set_setting(s, "other", "x"); }), Names{server_});
    EXPECT_EQ(write([](Session& s) { return insert_operation(s, operation("ep-1")); }),
              Names{branch_});
    EXPECT_EQ(write([](Session& s) { return finish_operation(s, "of-ep-1", at(9)); }),
              Names{branch_});
    EXPECT_EQ(write([](Session& s) { return insert_operation(s, operation("snap-1")); }),
              Names{snapshot_});
    EXPECT_EQ(write([](Session& s) { return touch_endpoint(s, "ep-1", at(10)); }), Names{});
    EXPECT_EQ(write([](Session& s) -> Result<void> {
                  auto role = *TRY(find_role(s, "br-1", "ann"));
                  role.id = role.postgres_role = "bob";
                  return insert_role(s, role);
              }),
              Names{branch_});
    EXPECT_EQ(write([](Session& s) { return erase_snapshot(s, "snap-1"); }), Names{snapshot_});
    EXPECT_EQ(write([](Session& s) { return erase_branch(s, "br-1"); }), Names{branch_});
}

TEST_F(RecordsTest, WhatIsRolledBackIsNotTold) {
    write([](Session& s) { return fill(s); });
    told_.clear();
    auto failed = meta_->write([](Session& s) -> Result<void> {
        TRY(erase_snapshot(s, "snap-1"));
        return error(Code::bad_request, "no");
    });
    EXPECT_FALSE(failed.ok());
    EXPECT_TRUE(told_.empty());
    EXPECT_EQ(write([](Session& s) { return set_setting(s, "other", "x"); }), Names{server_});
}

TEST_F(RecordsTest, OfTwoThatClaimTheSameTheSecondLeavesNothing) {
    write([](Session& s) { return fill(s); });
    auto record = decode_record(all(*meta_).at("branch-br-1"));
    auto refused = meta_->write([&](Session& s) -> Result<void> {
        EXPECT_EQ(insert_record(s, *record).error().code(), Code::already_exists);
        return {};
    });
    EXPECT_TRUE(refused.ok());
    EXPECT_EQ(all(*meta_).size(), 4u);
}

TEST_F(RecordsTest, DamagedBytesAreRefused) {
    write([](Session& s) { return fill(s); });
    std::string whole = all(*meta_).at("branch-br-1");
    std::mt19937 dice(7);  // the same places each time
    for (int round = 0; round < 2000; ++round) {
        std::string bytes = whole;
        bytes[dice() % bytes.size()] ^= static_cast<char>(1 << dice() % 8);
        EXPECT_FALSE(decode_record(bytes).ok());
    }
    for (size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(decode_record(std::string_view(whole).substr(0, size)).ok());
    EXPECT_TRUE(decode_record(whole).ok());
}

}  // namespace
}  // namespace tarn::meta
