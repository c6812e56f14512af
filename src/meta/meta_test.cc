#include "meta/meta.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "meta/branches.h"
#include "meta/checks.h"
#include "meta/databases.h"
#include "meta/endpoints.h"
#include "meta/lineage_owners.h"
#include "meta/operations.h"
#include "meta/projects.h"
#include "meta/roles.h"
#include "meta/settings.h"
#include "meta/signing_keys.h"
#include "meta/snapshots.h"
#include "meta/sqlite.h"
#include "meta/users.h"

namespace tarn::meta {
namespace {

class MetaTest : public testing::Test {
  protected:
    MetaTest() {
        std::string pattern = testing::TempDir() + "tarn-meta-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        open();
    }
    ~MetaTest() override { std::filesystem::remove_all(directory_); }

    std::string path() const { return directory_ + "/meta.db"; }
    void open(Meta::Options options = {}) {
        meta_.reset();
        auto opened = Meta::open(path(), std::move(options));
        ASSERT_TRUE(opened.ok()) << opened.error().text();
        meta_ = std::move(opened).value();
    }
    template <class Body>
    void write(Body body) {
        auto result = meta_->write(body);
        EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().text());
    }
    template <class Body>
    auto read(Body body) {
        return *meta_->read(body);
    }

    static Time at(int64_t seconds) { return Time{std::chrono::seconds{seconds}}; }
    static ProjectRow project(std::string id) {
        ProjectRow row;
        row.uid = "uid-of-" + id;
        row.id = std::move(id);
        row.default_min_cu = 0.5;
        row.default_max_cu = 1;
        row.create_time = at(1);
        return row;
    }
    static BranchRow branch(std::string uid, std::string id) {
        BranchRow row;
        row.lineage = "lineage-" + uid;
        row.uid = std::move(uid);
        row.project_uid = "uid-of-p";
        row.id = std::move(id);
        row.state = State::ready;
        return row;
    }
    static EndpointRow endpoint(std::string uid, std::string branch_uid, std::string address) {
        EndpointRow row;
        row.id = uid;
        row.uid = std::move(uid);
        row.branch_uid = std::move(branch_uid);
        row.address = std::move(address);
        return row;
    }

    std::string directory_;
    std::unique_ptr<Meta> meta_;
};

TEST_F(MetaTest, CommittedStateSurvivesReopening) {
    write([](Session& s) { return insert_project(s, project("p")); });
    open();
    auto row = read([](Session& s) { return find_project(s, "p"); });
    ASSERT_TRUE(row.has_value());
    EXPECT_EQ(row->uid, "uid-of-p");
    EXPECT_EQ(row->default_min_cu, 0.5);
    EXPECT_EQ(row->create_time, at(1));
    EXPECT_FALSE(row->delete_time.has_value());
    EXPECT_TRUE(read([](Session& s) { return find_project(s, "uid-of-p"); }).has_value());
}

// M1
TEST_F(MetaTest, FailedTransactionLeavesNothing) {
    auto result = meta_->write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        return error(Code::bad_request, "second thoughts");
    });
    EXPECT_EQ(result.error().message(), "second thoughts");
    EXPECT_FALSE(read([](Session& s) { return find_project(s, "p"); }).has_value());
    write([](Session& s) { return insert_project(s, project("p")); });
}

// M1
TEST_F(MetaTest, FailedCommitLeavesNothingAndTheNextOneWorks) {
    bool broken = true;
    open({.before_commit = [&]() -> Result<void> {
        if (broken) return error(Code::io_error, "the disk is gone");
        return {};
    }});
    EXPECT_FALSE(meta_->write([](Session& s) { return insert_project(s, project("p")); }).ok());
    broken = false;
    write([](Session& s) { return insert_project(s, project("p")); });
}

// M2
TEST_F(MetaTest, FileOfANewerVersionIsRefused) {
    meta_.reset();
    auto connection = Connection::open(path(), false);
    ASSERT_TRUE(connection->execute("PRAGMA user_version = 1000").ok());
    auto opened = Meta::open(path());
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().text().find("its format is version 1000"), std::string::npos)
        << opened.error().text();
}

TEST_F(MetaTest, NobodyElseCanReadTheFiles) {
    meta_.reset();
    std::filesystem::permissions(path(),
                                 std::filesystem::perms{0644});  // as an earlier version left it
    open();
    write([](Session& s) { return set_setting(s, "k", "v"); });
    for (auto& entry : std::filesystem::directory_iterator(directory_))
        EXPECT_EQ(entry.status().permissions(), std::filesystem::perms{0600}) << entry.path();
}

TEST_F(MetaTest, FileThatIsNoDatabaseIsDataLoss) {
    meta_.reset();
    for (auto& entry : std::filesystem::directory_iterator(directory_))
        std::filesystem::remove(entry.path());
    FILE* file = fopen(path().c_str(), "w");
    for (int i = 0; i < 1000; ++i) fputs("not a database ", file);
    fclose(file);
    auto opened = Meta::open(path());
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code(), Code::data_loss) << opened.error().text();
}

TEST_F(MetaTest, ProjectIdStaysTakenWhileDeletedAndIsListedOnlyOnRequest) {
    write([](Session& s) -> Result<void> {
        for (const char* id : {"b", "a", "c"}) TRY(insert_project(s, project(id)));
        ProjectRow gone = project("b");
        gone.state = State::deleted;
        gone.delete_time = at(2);
        gone.purge_time = at(10);
        return update_project(s, gone);
    });
    auto ids = [&](std::string_view after, bool deleted, int64_t limit) {
        std::string text;
        for (auto& row : read([&](Session& s) { return list_projects(s, after, deleted, limit); }))
            text += row.id;
        return text;
    };
    EXPECT_EQ(ids("", false, 10), "ac");
    EXPECT_EQ(ids("", true, 10), "abc");
    EXPECT_EQ(ids("a", true, 1), "b");
    EXPECT_EQ(
        meta_->write([](Session& s) { return insert_project(s, project("b")); }).error().code(),
        Code::already_exists);
    EXPECT_TRUE(read([](Session& s) { return projects_to_purge(s, at(9)); }).empty());
    EXPECT_EQ(read([](Session& s) { return projects_to_purge(s, at(10)); }).size(), 1u);
}

TEST_F(MetaTest, DeletedBranchGivesItsIdFree) {
    write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        TRY(insert_branch(s, branch("br-1", "dev")));
        BranchRow gone = branch("br-1", "dev");
        gone.state = State::deleted;
        gone.delete_time = at(5);
        TRY(update_branch(s, gone));
        TRY(insert_branch(s, branch("br-2", "dev")));
        gone.state = State::purging;  // must not collide with the new holder of the id
        return update_branch(s, gone);
    });
    EXPECT_EQ(read([](Session& s) { return find_branch(s, "uid-of-p", "dev"); })->uid, "br-2");
    EXPECT_EQ(read([](Session& s) { return find_branch(s, "uid-of-p", "br-1"); })->uid, "br-1");
    EXPECT_EQ(meta_->write([](Session& s) { return insert_branch(s, branch("br-3", "dev")); })
                  .error()
                  .code(),
              Code::already_exists);
}

TEST_F(MetaTest, BranchKeepsItsOriginAndItsSourceCountsIt) {
    write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        TRY(insert_branch(s, branch("br-1", "production")));
        BranchRow child = branch("br-2", "dev");
        child.source_uid = "br-1";
        child.source_name = "projects/p/branches/production";
        child.source_lsn = Lsn{0xffffffff00000001};
        child.source_time = at(7);
        TRY(insert_branch(s, child));
        BranchRow of_snapshot = child;
        of_snapshot.uid = "br-3";
        of_snapshot.id = "of-snapshot";
        of_snapshot.lineage = "lineage-br-3";
        of_snapshot.source_snapshot_uid = "snap-1";
        of_snapshot.source_snapshot_name = "projects/p/snapshots/s";
        return insert_branch(s, of_snapshot);
    });
    auto child = read([](Session& s) { return get_branch(s, "br-2"); });
    EXPECT_EQ(child->source_lsn->value, 0xffffffff00000001);
    EXPECT_EQ(child->source_time, at(7));
    EXPECT_FALSE(child->source_snapshot_uid);
    auto of_snapshot = read([](Session& s) { return get_branch(s, "br-3"); });
    EXPECT_EQ(of_snapshot->source_snapshot_uid, "snap-1");
    EXPECT_EQ(of_snapshot->source_snapshot_name, "projects/p/snapshots/s");
    EXPECT_FALSE(child->is_root());
    EXPECT_EQ(read([](Session& s) { return count_children(s, "br-1"); }), 1)
        << "what is made from a snapshot does not hold up its branch";
    EXPECT_EQ(read([](Session& s) { return count_children(s, "br-2"); }), 0);
}

TEST_F(MetaTest, BranchesChangeStorageInOneTransaction) {
    write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        TRY(insert_branch(s, branch("br-1", "one")));
        BranchRow other = branch("br-2", "two");
        other.replaced_by = "br-1";
        return insert_branch(s, other);
    });
    EXPECT_EQ(read([](Session& s) { return get_branch(s, "br-2"); })->replaced_by, "br-1");
    write([](Session& s) {
        return exchange_lineages(s, branch("br-1", "one"), branch("br-2", "two"));
    });
    EXPECT_EQ(read([](Session& s) { return get_branch(s, "br-1"); })->lineage, "lineage-br-2");
    EXPECT_EQ(read([](Session& s) { return get_branch(s, "br-2"); })->lineage, "lineage-br-1");
}

TEST_F(MetaTest, SnapshotsAndSchedulesAreKept) {
    write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        TRY(insert_branch(s, branch("br-1", "production")));
        TRY(put_snapshot_schedule(s, {"br-1", "[]", at(1)}));
        TRY(put_snapshot_schedule(s, {"br-1", "[1]", at(2)}));
        for (const char* id : {"b", "a"}) {
            SnapshotRow row;
            row.uid = fmt::format("snap-{}", id);
            row.project_uid = "uid-of-p";
            row.id = id;
            row.lineage = fmt::format("lineage-{}", id);
            row.source_uid = "br-1";
            row.source_lsn = Lsn{0xffffffff00000001};
            if (row.id == "a") row.expire_time = at(9);
            TRY(insert_snapshot(s, row));
            row.state = State::ready;
            row.source_time = at(7);
            TRY(update_snapshot(s, row));
        }
        return {};
    });
    auto ids = [&](std::string_view after) {
        std::string all;
        for (const auto& row :
             read([&](Session& s) { return list_snapshots(s, "uid-of-p", after, 9); }))
            all += row.id;
        return all;
    };
    EXPECT_EQ(ids(""), "ab");
    EXPECT_EQ(ids("a"), "b");
    auto row = read([](Session& s) { return find_snapshot(s, "uid-of-p", "snap-b"); });
    EXPECT_EQ(row->source_lsn->value, 0xffffffff00000001);
    EXPECT_EQ(row->source_time, at(7));
    EXPECT_FALSE(row->expire_time);
    EXPECT_EQ(read([](Session& s) { return snapshots_to_expire(s, at(9)); }).at(0).id, "a");
    EXPECT_TRUE(read([](Session& s) { return snapshots_to_expire(s, at(8)); }).empty());
    EXPECT_EQ(read([](Session& s) { return get_snapshot_schedule(s, "br-1"); })->cadences, "[1]");
    write([](Session& s) { return erase_branch(s, "br-1"); });
    EXPECT_TRUE(read([](Session& s) { return all_snapshot_schedules(s); }).empty());
}

TEST_F(MetaTest, AddressesAreUniqueAndFreedWithTheBranch) {
    write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        TRY(insert_branch(s, branch("br-1", "one")));
        TRY(insert_branch(s, branch("br-2", "two")));
        return insert_endpoint(s, endpoint("ep-1", "br-1", "127.64.0.1"));
    });
    auto again = [](Session& s) {
        return insert_endpoint(s, endpoint("ep-2", "br-2", "127.64.0.1"));
    };
    EXPECT_FALSE(meta_->write(again).ok());
    EXPECT_EQ(read([](Session& s) { return endpoint_at(s, "127.64.0.1"); })->uid, "ep-1");
    write([](Session& s) { return erase_branch(s, "br-1"); });
    write(again);
}

TEST_F(MetaTest, LastActivityNeverGoesBack) {
    write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        TRY(insert_branch(s, branch("br-1", "one")));
        TRY(insert_endpoint(s, endpoint("ep-1", "br-1", "127.64.0.1")));
        TRY(touch_endpoint(s, "ep-1", at(20)));
        return touch_endpoint(s, "ep-1", at(10));
    });
    EXPECT_EQ(read([](Session& s) { return get_endpoint(s, "ep-1"); })->last_active_time, at(20));
}

TEST_F(MetaTest, ChildInheritsRolesAndDatabases) {
    write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        TRY(insert_branch(s, branch("br-1", "one")));
        TRY(insert_branch(s, branch("br-2", "two")));
        RoleRow role;
        role.branch_uid = "br-1";
        role.id = "me";
        role.postgres_role = "me@example.com";
        role.bypassrls = true;
        TRY(insert_role(s, role));
        DatabaseRow database;
        database.branch_uid = "br-1";
        database.id = "databricks-postgres";
        database.postgres_database = "databricks_postgres";
        database.role_id = "me";
        TRY(insert_database(s, database));
        TRY(copy_roles(s, "br-1", "br-2"));
        return copy_databases(s, "br-1", "br-2");
    });
    auto role = read([](Session& s) { return find_role(s, "br-2", "me"); });
    EXPECT_EQ(role->postgres_role, "me@example.com");
    EXPECT_TRUE(role->bypassrls);
    EXPECT_EQ(read([](Session& s) { return list_databases(s, "br-2"); }).at(0).role_id, "me");
}

TEST_F(MetaTest, OperationOutlivesItsResourceAndLeavesThePendingOnes) {
    write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        OperationRow operation;
        operation.kind = "delete_project";
        operation.resource_uid = operation.project_uid = "uid-of-p";
        operation.id = "one";
        TRY(insert_operation(s, operation));
        operation.id = "two";
        TRY(insert_operation(s, operation));
        TRY(set_operation_error(s, "one", "NOT_FOUND", "lost"));
        TRY(erase_project(s, "uid-of-p"));
        return finish_operation(s, "one", at(9));
    });
    auto one = read([](Session& s) { return find_operation(s, "one"); });
    EXPECT_TRUE(one->done);
    EXPECT_EQ(one->error_message, "lost");
    EXPECT_EQ(one->finish_time, at(9));
    auto pending = read([](Session& s) { return pending_operations(s); });
    ASSERT_EQ(pending.size(), 1u);
    EXPECT_EQ(pending[0].id, "two");
    EXPECT_GT(pending[0].seq, one->seq);
    write([](Session& s) { return erase_operations_finished_before(s, at(10)); });
    EXPECT_FALSE(read([](Session& s) { return find_operation(s, "one"); }).has_value());
    EXPECT_TRUE(read([](Session& s) { return find_operation(s, "two"); }).has_value());
}

TEST_F(MetaTest, TokenIsFoundByItsHashUntilItExpires) {
    std::string hash("\0\xff hash with a zero byte", 25);
    write([&](Session& s) -> Result<void> {
        UserRow user;
        user.id = 7;
        user.user_name = "me@example.com";
        user.is_admin = true;
        TRY(insert_user(s, user));
        TokenRow token;
        token.id = "t";
        token.user_id = 7;
        token.hash = hash;
        token.expire_time = at(100);
        return insert_token(s, token);
    });
    auto owner = [&](std::string_view bytes, int64_t seconds) {
        return read([&](Session& s) { return user_of_token(s, bytes, at(seconds)); });
    };
    EXPECT_EQ(owner(hash, 99)->user_name, "me@example.com");
    EXPECT_FALSE(owner(hash, 100).has_value());
    EXPECT_FALSE(owner(std::string_view(hash).substr(0, 1), 0).has_value());
}

TEST_F(MetaTest, SettingsAndKeysAreKept) {
    write([](Session& s) -> Result<void> {
        TRY(set_setting(s, "k", "1"));
        TRY(set_setting(s, "k", "2"));
        TRY(insert_signing_key(s, {"old", "pem", at(1), at(3)}));
        return insert_signing_key(s, {"new", "pem", at(2), {}});
    });
    EXPECT_EQ(read([](Session& s) { return get_setting(s, "k"); }), "2");
    EXPECT_FALSE(read([](Session& s) { return get_setting(s, "other"); }).has_value());
    auto keys = read([](Session& s) { return list_signing_keys(s); });
    EXPECT_EQ(keys.at(0).kid, "new");
    EXPECT_EQ(keys.at(1).retire_time, at(3));
}

TEST_F(MetaTest, WhatWasFoundInALineageIsKeptUntilItIsGone) {
    auto verification = [](const char* lineage, int64_t seen) {
        VerificationRow row;
        row.lineage = lineage;
        row.seen_time = at(seen);
        return row;
    };
    auto check = [](const char* lineage, int64_t time) {
        RestoreCheckRow row;
        row.lineage = lineage;
        row.check_time = at(time);
        return row;
    };
    VerificationRow verified = verification("a", 1);
    EXPECT_EQ(verified.last(), at(1));
    verified.verify_time = verified.newest_whole_time = at(5);
    verified.newest_whole_lsn = Lsn{7};
    verified.bytes = 11;
    verified.damage_count = 2;
    verified.damages = "[\"x\"]";
    verified.failure = "no";
    RestoreCheckRow checked = check("a", 6);
    checked.good_time = at(6);
    checked.moment_lsn = Lsn{8};
    checked.relations = 9;
    write([&](Session& s) -> Result<void> {
        TRY(put_verification(s, verification("a", 1)));
        TRY(put_verification(s, verified));
        TRY(put_verification(s, verification("b", 2)));
        TRY(put_restore_check(s, checked));
        return put_restore_check(s, check("b", 3));
    });
    auto kept = *read([](Session& s) { return get_verification(s, "a"); });
    EXPECT_EQ(kept.last(), at(5));
    EXPECT_EQ(kept.newest_whole_lsn, Lsn{7});
    EXPECT_EQ(kept.newest_whole_time, at(5));
    EXPECT_FALSE(kept.whole_time.has_value());
    EXPECT_EQ(kept.bytes, 11);
    EXPECT_EQ(kept.damage_count, 2);
    EXPECT_EQ(kept.damages, "[\"x\"]");
    EXPECT_EQ(kept.failure, "no");
    EXPECT_EQ(read([](Session& s) { return all_verifications(s); }).size(), 2u);
    auto opened = *read([](Session& s) { return get_restore_check(s, "a"); });
    EXPECT_EQ(opened.moment_lsn, Lsn{8});
    EXPECT_EQ(opened.relations, 9);
    EXPECT_EQ(opened.good_time, at(6));
    write([](Session& s) { return erase_checks(s, "a"); });
    EXPECT_FALSE(read([](Session& s) { return get_verification(s, "a"); }).has_value());
    EXPECT_FALSE(read([](Session& s) { return get_restore_check(s, "a"); }).has_value());
    EXPECT_EQ(read([](Session& s) { return get_restore_check(s, "b"); })->check_time, at(3));
}

TEST_F(MetaTest, ALineageIsTheBranchsOrSnapshotsThatHasIt) {
    write([](Session& s) -> Result<void> {
        TRY(insert_project(s, project("p")));
        TRY(insert_branch(s, branch("dev", "dev")));
        SnapshotRow snapshot;
        snapshot.uid = "s";
        snapshot.project_uid = "uid-of-p";
        snapshot.id = "old";
        snapshot.lineage = "b";
        return insert_snapshot(s, snapshot);
    });
    auto owner = read([](Session& s) { return owner_of_lineage(s, "b"); });
    ASSERT_TRUE(owner.has_value());
    EXPECT_EQ(owner->project_id + "/" + owner->id, "p/old");
    EXPECT_TRUE(owner->is_snapshot);
    EXPECT_FALSE(read([](Session& s) { return owner_of_lineage(s, "c"); }).has_value());
    auto all = read([](Session& s) { return all_lineage_owners(s); });
    EXPECT_EQ(all.size(), 2u);
    EXPECT_EQ(all.at("lineage-dev").id, "dev");
    EXPECT_FALSE(all.at("lineage-dev").is_snapshot);
}

TEST_F(MetaTest, AFullDiskIsToldInOneLineWithWhatToDo) {
    auto connection = Connection::open(directory_ + "/small.db", false);
    ASSERT_TRUE(connection.ok());
    std::string script = "PRAGMA max_page_count = 2;\nCREATE TABLE a (x);\nCREATE TABLE b (x);\n";
    auto full = connection->execute(script + script);
    ASSERT_FALSE(full.ok());
    EXPECT_EQ(full.error().code(), Code::no_space) << full.error().text();
    EXPECT_EQ(full.error().text().find('\n'), std::string::npos) << full.error().text();
    EXPECT_FALSE(full.error().hint().empty());
    auto wrong = connection->execute("PRAGMA cache_size;\nSELECT missing;\n");
    EXPECT_EQ(wrong.error().message(), "run \"PRAGMA cache_size; ...\": no such column: missing");
}

}  // namespace
}  // namespace tarn::meta
