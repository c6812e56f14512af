#include "control/control_fixture.h"

namespace tarn::control {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;

class ControlTest : public ControlFixture {
  protected:
    void make_project(const std::string& id) {
        ASSERT_EQ(project_error(id), "");
        settle();
    }
    void make_branch(const std::string& project, const std::string& id,
                     Expiration expiration = NoExpiry{}, const std::string& source = "") {
        auto operation = create_branch(project, id, expiration, source);
        ASSERT_EQ(message(operation), "");
        settle();
        ASSERT_TRUE(outcome(operation).row.done);
        ASSERT_FALSE(outcome(operation).row.error_code) << *outcome(operation).row.error_message;
    }
    std::string delete_error(const std::string& project, const std::string& branch) {
        return message(control_->branches.remove(project, branch, true));
    }
    std::vector<std::string> branch_ids(const std::string& project) {
        std::vector<std::string> ids;
        auto page = control_->branches.list(project, "", "", false, 1000);
        for (const auto& view : page->items) ids.push_back(view.row.id);
        return ids;
    }
};

TEST_F(ControlTest, EndpointIsFoundByItsAddressOrInNetworkModeByItsName) {
    ASSERT_TRUE(create_project("p").ok());
    EXPECT_EQ(primary("p").host, primary("p").row.address);
    options_.network_domain = "db.example.com";
    open();
    EXPECT_EQ(primary("p").host, primary("p").row.uid + ".db.example.com");
}

TEST_F(ControlTest, NewProjectHasBranchEndpointRoleAndDatabase) {
    auto operation = create_project("my-app");
    EXPECT_FALSE(outcome(operation).row.done);
    EXPECT_EQ(primary("my-app").current, EndpointState::init);
    settle();
    OperationView done = outcome(operation);
    EXPECT_TRUE(done.row.done);
    const auto& project = std::get<ProjectView>(done.result);
    EXPECT_EQ(project.row.display_name, "my-app");
    EXPECT_EQ(project.row.pg_version, 17);
    EXPECT_EQ(project.row.owner, "Jane.Doe@example.com");
    EXPECT_EQ(project.default_branch, "projects/my-app/branches/production");

    auto branch = control_->branches.get("my-app", "production");
    EXPECT_TRUE(branch->is_default);
    EXPECT_TRUE(branch->row.is_root());
    EXPECT_EQ(branch->row.state, meta::State::ready);

    EndpointView endpoint = primary("my-app");
    EXPECT_EQ(endpoint.current, EndpointState::active);
    EXPECT_FALSE(endpoint.pending);
    EXPECT_EQ(endpoint.row.min_cu, 1);
    EXPECT_EQ(endpoint.row.max_cu, 1);
    EXPECT_EQ(endpoint.row.suspend, hours{24});
    EXPECT_TRUE(endpoint.row.uid.starts_with("ep-"));
    EXPECT_TRUE(branch->row.uid.starts_with("br-"));

    auto role = control_->roles.get("my-app", "production", "jane-doe");
    EXPECT_EQ(role->row.postgres_role, "Jane.Doe@example.com");
    auto database = control_->databases.get("my-app", "production", "databricks-postgres");
    EXPECT_EQ(database->row.postgres_database, "databricks_postgres");
    EXPECT_EQ(computes_.roles,
              (std::set<std::string>{"Jane.Doe@example.com", "databricks_superuser"}));
    EXPECT_EQ(computes_.databases, std::set<std::string>{"databricks_postgres"});
}

TEST_F(ControlTest, AnInitialDatabaseOfAnotherNameIsTheOnlyOne) {
    ProjectDraft draft;
    draft.id = "p";
    draft.initial_database = "shop";
    ASSERT_TRUE(control_->projects.create(caller_, draft).ok());
    settle();
    EXPECT_EQ(computes_.databases, std::set<std::string>{"shop"});
}

TEST_F(ControlTest, ResourcesAreFoundByUidAndByTheOlderEndpointId) {
    make_project("p");
    std::string project_uid = control_->projects.get("p")->row.uid;
    std::string branch_uid = control_->branches.get(project_uid, "production")->row.uid;
    std::string endpoint_uid = primary("p").row.uid;
    EXPECT_EQ(control_->projects.get(project_uid)->row.id, "p");
    EXPECT_EQ(control_->endpoints.get(project_uid, branch_uid, endpoint_uid)->row.id, "primary");
    EXPECT_EQ(control_->endpoints.get("p", "production", "ep-primary")->row.uid, endpoint_uid);
    EXPECT_EQ(message(control_->endpoints.get("p", "production", "ep-secondary")),
              "endpoint not found");
}

TEST_F(ControlTest, OnlyInstalledVersionsCanBeHad) {
    computes_.installed = {16, 17};
    auto error_of = [&](int version) {
        ProjectDraft draft;
        draft.id = "p";
        draft.pg_version = version;
        auto created = control_->projects.create(caller_, draft);
        return created.ok() ? "" : created.error().text();
    };
    EXPECT_EQ(error_of(15), "Field 'spec.pg_version' must be one of 16, 17, 18, got 15.");
    EXPECT_EQ(
        error_of(18),
        "Field 'spec.pg_version': PostgreSQL 18 is not installed on this server (found: 16, 17) "
        "(hint: install PostgreSQL 18 where the server looks (its --pg-dir) and start it again, or "
        "choose another version)");
    EXPECT_EQ(error_of(16), "");
}

TEST_F(ControlTest, TakenIdsAreRefused) {
    make_project("p");
    make_branch("p", "dev");
    EXPECT_EQ(project_error("p"), "project with such id already exists in the workspace");
    auto branch = create_branch("p", "dev");
    EXPECT_EQ(message(branch), "branch already exists; branch_name:\"dev\"");
    EXPECT_EQ(branch.error().code(), Code::already_exists);
    EndpointDraft draft{.project = "p", .branch = "dev", .id = "primary", .values = {}};
    EXPECT_EQ(message(control_->endpoints.create(draft)), "endpoint with such id already exists");
    draft.id = "dev-ep";
    auto second = control_->endpoints.create(draft);
    EXPECT_EQ(message(second), "read_write endpoint already exists");
    EXPECT_EQ(second.error().code(), Code::bad_request);
}

TEST_F(ControlTest, BranchKnowsItsSourceAndHasAnEndpointThatSleeps) {
    make_project("p");
    make_branch("p", "dev", Span{days{7}});
    auto branch = control_->branches.get("p", "dev");
    EXPECT_EQ(branch->row.source_name, "projects/p/branches/production");
    EXPECT_EQ(branch->row.source_lsn->text(), "0/1B3C4D8");
    EXPECT_EQ(branch->row.expire_time, branch->row.create_time + days{7});
    EXPECT_FALSE(branch->is_default);
    EXPECT_EQ(primary("p", "dev").current, EndpointState::idle);
    EXPECT_NE(primary("p", "dev").row.address, primary("p").row.address);
    EXPECT_TRUE(control_->roles.get("p", "dev", "jane-doe").ok());
    EXPECT_TRUE(control_->databases.get("p", "dev", "databricks-postgres").ok());
}

TEST_F(ControlTest, BranchRulesAreTheContracts) {
    make_project("p");
    make_project("q");
    auto created = [&](Expiration expiration, const std::string& source) {
        BranchDraft draft;
        draft.project = "p";
        draft.id = "x";
        draft.values.expiration = expiration;
        draft.source.branch = source;
        return message(control_->branches.create(draft));
    };
    BranchDraft bare;
    bare.project = "p";
    bare.id = "x";
    EXPECT_EQ(message(control_->branches.create(bare)),
              "Expiration must be specified when creating a branch");
    EXPECT_EQ(created(NoExpiry{}, "projects/q/branches/production"),
              "source_branch field must point to the branch from the same Project");
    EXPECT_EQ(created(NoExpiry{}, "projects/p/branches/none"), "branch id not found");
    EXPECT_NE(created(NoExpiry{}, "nonsense"), "");
    EXPECT_NE(created(Span{days{31}}, ""), "");
    EXPECT_NE(created(Time{seconds{1}}, ""), "");
    make_branch("p", "short", Span{hours{1}});
    EXPECT_EQ(created(NoExpiry{}, "projects/p/branches/short"),
              "cannot branch from a branch that expires; branch_name:\"short\"");
    BranchDraft past = bare;
    past.values.expiration = NoExpiry{};
    past.source.at_time = Time{seconds{1}};
    EXPECT_EQ(
        message(control_->branches.create(past)),
        "The provided timestamp is before your project was created, try a more recent timestamp.");
    past.source.at_time = now_ + seconds{1};
    EXPECT_EQ(message(control_->branches.create(past)), "The provided timestamp is in the future.");
    past.source.at_lsn = Lsn{0x1b3c4d8};
    EXPECT_EQ(message(control_->branches.create(past)),
              "Only one of 'source_branch_lsn' and 'source_branch_time' may be given.");
    past.source.at_time.reset();
    past.source.at_lsn = Lsn{0x3000000};
    EXPECT_NE(message(control_->branches.create(past)).find("is ahead of the newest"),
              std::string::npos);
    EXPECT_EQ(branch_ids("p"), (std::vector<std::string>{"production", "short"}));
    pass(days{8});
    past.source.at_lsn.reset();
    past.source.at_time = now_ - days{7} - seconds{1};
    EXPECT_NE(message(control_->branches.create(past)).find("history retention of 604800s begins"),
              std::string::npos);
}

TEST_F(ControlTest, ABranchOfAPastMomentSaysWhichFromTheBeginning) {
    make_project("p");
    BranchDraft draft;
    draft.project = "p";
    draft.id = "by-lsn";
    draft.values.expiration = NoExpiry{};
    draft.source.at_lsn = Lsn{0x1a00000};
    ASSERT_EQ(message(control_->branches.create(draft)), "");
    EXPECT_EQ(control_->branches.get("p", "by-lsn")->row.source_lsn, Lsn{0x1a00000});
    draft.id = "by-time";
    draft.source.at_lsn.reset();
    draft.source.at_time = now_;
    ASSERT_EQ(message(control_->branches.create(draft)), "");
    settle();
    EXPECT_EQ(control_->branches.get("p", "by-lsn")->row.source_lsn, Lsn{0x1a00000});
    EXPECT_EQ(control_->branches.get("p", "by-time")->row.source_lsn, Lsn{0x1b3c4d8});
    EXPECT_EQ(control_->branches.get("p", "by-time")->row.source_time, draft.source.at_time);
}

TEST_F(ControlTest, HistoryBeginsWhenTheOwnersRoleIsThere) {
    make_project("p");
    auto lineage = control_->branches.get("p", "production")->row.lineage;
    EXPECT_TRUE(computes_.histories.contains(lineage));
}

TEST_F(ControlTest, AMomentIsOfTheSourceThatItWasFoundIn) {
    make_project("p");
    make_branch("p", "other");
    BranchDraft draft;
    draft.project = "p";
    draft.id = "past";
    draft.values.expiration = NoExpiry{};
    draft.source.at_lsn = Lsn{0x1a00000};
    // The default branch changes while the moment is looked for.
    computes_.after_call = [&](const std::string& call) -> Result<void> {
        if (call != "find_moment") return {};
        ProjectPatch patch;
        patch.default_branch = branch_name("p", "other");
        EXPECT_EQ(message(control_->projects.update("p", patch)), "");
        return {};
    };
    auto created = control_->branches.create(draft);
    ASSERT_FALSE(created.ok());
    EXPECT_EQ(created.error().code(), Code::conflict);
    EXPECT_EQ(branch_ids("p"), (std::vector<std::string>{"other", "production"}));
}

TEST_F(ControlTest, OneHistoryThatCannotBeTrimmedHoldsUpNoOther) {
    make_project("p");
    make_project("q");
    computes_.histories.clear();
    bool failed = false;
    computes_.before_call = [&](const std::string& call) -> Result<void> {
        if (call != "trim_history" || std::exchange(failed, true)) return {};
        return error(Code::io_error, "a disk that fails");
    };
    computes_.has_more_history = true;
    EXPECT_TRUE(control_->history_keeper.run_once()) << "and it wants another round at once";
    EXPECT_TRUE(failed);
    EXPECT_EQ(computes_.histories.size(), 1u);
    EXPECT_FALSE(control_->history_keeper.run_once());
}

TEST_F(ControlTest, HistoryIsKeptAsLongAsTheProjectWants) {
    make_project("p");
    make_branch("p", "dev");
    make_project("other");
    ProjectPatch patch;
    patch.history_retention = days{2};
    ASSERT_EQ(message(control_->projects.update("other", patch)), "");
    control_->history_keeper.run_once();
    auto kept = [&](const std::string& project, const std::string& branch) {
        return computes_.histories.at(control_->branches.get(project, branch)->row.lineage);
    };
    EXPECT_EQ(kept("p", "production"), now_ - days{7});
    EXPECT_EQ(kept("p", "dev"), now_ - days{7});
    EXPECT_EQ(kept("other", "production"), now_ - days{2});
}

TEST_F(ControlTest, WhatMayNotBeDeletedIsNot) {
    make_project("p");
    make_branch("p", "parent");
    make_branch("p", "child", NoExpiry{}, "parent");
    auto root = control_->branches.remove("p", "production", false);
    EXPECT_EQ(message(root),
              "Cannot delete root branch 'projects/p/branches/production'. Root branches cannot be "
              "deleted independently.");
    EXPECT_EQ(root.error().reason(), "MANAGED_BY_PARENT");
    auto writer = control_->endpoints.remove("p", "parent", "primary");
    EXPECT_EQ(message(writer),
              "Cannot delete read-write endpoint 'projects/p/branches/parent/endpoints/primary'. "
              "Read-write endpoints cannot be deleted.");
    EXPECT_EQ(writer.error().reason(), "MANAGED_BY_PARENT");
    EXPECT_EQ(delete_error("p", "parent"), "cannot delete branch that has children");
    ProjectPatch patch;
    patch.default_branch = "projects/p/branches/child";
    EXPECT_EQ(message(control_->projects.update("p", patch)), "");
    EXPECT_EQ(delete_error("p", "child"), "cannot delete default branch");
    patch.default_branch = "projects/p/branches/production";
    EXPECT_EQ(message(control_->projects.update("p", patch)), "");
    EXPECT_EQ(
        message(control_->branches.update("p", "child", {.is_protected = true, .expiration = {}})),
        "");
    EXPECT_EQ(delete_error("p", "child"), "cannot delete protected branch");
    EXPECT_EQ(message(control_->projects.remove("p", true)),
              "cannot delete project with protected branches");
    EXPECT_NE(
        message(control_->branches.update("p", "parent", {.is_protected = true, .expiration = {}})),
        "")
        << "only one branch may be protected";
    EXPECT_EQ(
        message(control_->branches.update("p", "child", {.is_protected = false, .expiration = {}})),
        "");
    EXPECT_EQ(delete_error("p", "child"), "");
    settle();
    EXPECT_EQ(delete_error("p", "parent"), "");
    EXPECT_EQ(delete_error("p", "none"), "branch id not found");
}

TEST_F(ControlTest, DeletedBranchIsGoneFromSightAndCanComeBack) {
    make_project("p");
    make_branch("p", "dev");
    std::string uid = primary("p", "dev").row.uid;
    ASSERT_TRUE(control_->wake.wake(uid).ok());
    auto operation = control_->branches.remove("p", "dev", false);
    settle();
    EXPECT_TRUE(outcome(operation).row.done);
    EXPECT_EQ(outcome(operation).result.index(), 0u);
    EXPECT_EQ(branch_ids("p"), std::vector<std::string>{"production"});
    EXPECT_EQ(message(control_->branches.get("p", "dev")), "branch id not found");
    EXPECT_FALSE(computes_.running.contains(uid));
    EXPECT_FALSE(computes_.directories.contains(uid));
    EXPECT_EQ(computes_.made.size(), 2u) << "its data must stay";
    EXPECT_EQ(control_->wake.wake(uid).error().code(), Code::not_found);

    auto undeleted = control_->branches.undelete("p", "dev");
    settle();
    EXPECT_TRUE(std::holds_alternative<BranchView>(outcome(undeleted).result));
    EXPECT_TRUE(control_->wake.wake(uid).ok());
    EXPECT_EQ(message(control_->branches.undelete("p", "dev")), "branch id not found");
}

TEST_F(ControlTest, DeletedBranchGivesItsIdFreeAtOnce) {
    make_project("p");
    make_branch("p", "dev");
    EXPECT_EQ(message(control_->branches.remove("p", "dev", false)), "");
    settle();
    make_branch("p", "dev");
    EXPECT_EQ(message(control_->branches.undelete("p", "dev")),
              "branch already exists; branch_name:\"dev\"");
}

TEST_F(ControlTest, DeletedBranchCanBePurgedBeforeItsTime) {
    make_project("p");
    make_branch("p", "dev");
    std::string uid = control_->branches.get("p", "dev")->row.uid;
    EXPECT_EQ(message(control_->branches.remove("p", "dev", false)), "");
    settle();
    EXPECT_EQ(message(control_->branches.remove("p", uid, false)), "branch id not found");
    EXPECT_EQ(computes_.made.size(), 2u);
    auto operation = control_->branches.remove("p", uid, true);
    EXPECT_EQ(message(control_->branches.undelete("p", uid)), "branch id not found")
        << "its storage is going";
    settle();
    EXPECT_TRUE(outcome(operation).row.done);
    EXPECT_EQ(computes_.made.size(), 1u);
    EXPECT_EQ(message(control_->branches.undelete("p", "dev")), "branch id not found");
    EXPECT_EQ(message(control_->branches.remove("p", uid, true)), "branch id not found");
}

TEST_F(ControlTest, APurgeThatIsAskedForAgainTakesNoOtherBranch) {
    make_project("p");
    make_branch("p", "dev");
    EXPECT_EQ(message(control_->branches.remove("p", "dev", false)), "");
    settle();
    make_branch("p", "dev");
    EXPECT_EQ(message(control_->branches.remove("p", "dev", true)), "");
    EXPECT_EQ(message(control_->branches.remove("p", "dev", true)), "branch id not found");
    settle();
    EXPECT_EQ(message(control_->branches.undelete("p", "dev")), "");
}

TEST_F(ControlTest, DeletedProjectHoldsItsIdUntilItIsPurged) {
    make_project("p");
    make_branch("p", "dev");
    auto operation = control_->projects.remove("p", false);
    settle();
    EXPECT_TRUE(outcome(operation).row.done);
    EXPECT_EQ(message(control_->projects.get("p")), "project id not found");
    EXPECT_TRUE(control_->projects.list("", false, 10)->items.empty());
    EXPECT_EQ(control_->projects.list("", true, 10)->items.at(0).row.purge_time, now_ + days{7});
    EXPECT_EQ(project_error("p"), "project with such id already exists in the workspace");
    EXPECT_TRUE(computes_.running.empty());
    EXPECT_EQ(computes_.made.size(), 2u);

    EXPECT_EQ(message(control_->projects.undelete("p")), "");
    settle();
    EXPECT_TRUE(control_->wake.wake(primary("p", "dev").row.uid).ok());

    EXPECT_EQ(message(control_->projects.remove("p", false)), "");
    settle();
    pass(days{7});
    control_->housekeeper.run_once();
    settle();
    EXPECT_TRUE(computes_.made.empty());
    EXPECT_TRUE(control_->projects.list("", true, 10)->items.empty());
    EXPECT_EQ(project_error("p"), "");
}

TEST_F(ControlTest, PurgedProjectLeavesNothingButItsOperations) {
    auto created = create_project("p");
    settle();
    make_branch("p", "dev");
    auto operation = control_->projects.remove("p", true);
    settle();
    EXPECT_TRUE(outcome(operation).row.done);
    EXPECT_TRUE(outcome(created).row.done) << "readable after its project is gone";
    EXPECT_TRUE(computes_.made.empty());
    EXPECT_TRUE(computes_.running.empty());
    EXPECT_TRUE(computes_.directories.empty());
    EXPECT_TRUE(meta_->read([](meta::Session& s) { return meta::all_endpoints(s); })->empty());
    EXPECT_EQ(project_error("p"), "");
    // Old operations are forgotten in the end.
    pass(days{31});
    control_->housekeeper.run_once();
    EXPECT_EQ(message(control_->operations.get("projects/p", operation->id, Span{0})),
              "operation not found");
}

TEST_F(ControlTest, ExpiredBranchEndsByItself) {
    make_project("p");
    make_branch("p", "dev", Span{hours{1}});
    pass(hours{1} - seconds{1});
    control_->housekeeper.run_once();
    settle();
    EXPECT_TRUE(control_->branches.get("p", "dev").ok());
    pass(seconds{1});
    control_->housekeeper.run_once();
    settle();
    EXPECT_FALSE(control_->branches.get("p", "dev").ok());
    pass(days{7});
    control_->housekeeper.run_once();
    settle();
    EXPECT_EQ(computes_.made.size(), 1u);
}

TEST_F(ControlTest, UpdateChangesWhatItNamesAndChecksTheWhole) {
    make_project("p");
    EndpointPatch patch;
    patch.settings.max_cu = 8;
    EXPECT_EQ(message(update_primary("p", patch)), "");
    EXPECT_EQ(primary("p").row.min_cu, 1);
    EXPECT_EQ(primary("p").row.max_cu, 8);
    patch.settings.max_cu = 32;
    EXPECT_NE(message(update_primary("p", patch)), "");
    EXPECT_EQ(primary("p").row.max_cu, 8) << "a refused update changes nothing";
    patch.settings.min_cu = 16;
    EXPECT_EQ(message(update_primary("p", patch)), "");
    EXPECT_EQ(computes_.starts, 1) << "a new size needs no restart";
}

TEST_F(ControlTest, NewPostgresSettingsRestartARunningCompute) {
    make_project("p");
    EndpointPatch patch;
    patch.settings.pg_settings = PgSettings{{"work_mem", "64MB"}};
    auto operation = update_primary("p", patch);
    EXPECT_FALSE(outcome(operation).row.done);
    settle();
    EXPECT_TRUE(outcome(operation).row.done);
    EXPECT_EQ(computes_.starts, 2);
    EXPECT_EQ(computes_.specs[primary("p").row.uid].pg_settings.at("work_mem"), "64MB");
}

TEST_F(ControlTest, SettingsThatPostgresRefusesStopNothing) {
    make_project("p");
    auto refused = [](const std::string& call) -> Result<void> {
        if (call != "check_settings") return {};
        return error(Code::invalid_argument, "PostgreSQL 17 refuses: invalid value");
    };
    computes_.before_call = refused;
    EndpointPatch patch;
    patch.settings.pg_settings = PgSettings{{"work_mem", "much"}};
    EXPECT_EQ(message(update_primary("p", patch)),
              "Field 'spec.settings.pg_settings': PostgreSQL 17 refuses: invalid value");
    settle();
    EXPECT_EQ(computes_.starts, 1);
    EXPECT_TRUE(computes_.running.contains(primary("p").row.uid));
    EXPECT_EQ(parse_pg_settings(primary("p").row.pg_settings), PgSettings{});

    ProjectPatch defaults;
    defaults.default_endpoint_settings.pg_settings = patch.settings.pg_settings;
    std::string text =
        "Field 'spec.default_endpoint_settings.pg_settings': PostgreSQL 17 refuses: invalid value";
    EXPECT_EQ(message(control_->projects.update("p", defaults)), text);
    ProjectDraft draft;
    draft.id = "q";
    draft.values = defaults;
    EXPECT_EQ(message(control_->projects.create(caller_, draft)), text);
    // What asks for no other settings is not held up by them.
    EndpointPatch size;
    size.settings.max_cu = 2;
    EXPECT_EQ(message(update_primary("p", size)), "");
    settle();
    // Settings that fit one size may be too much for another.
    computes_.before_call = nullptr;
    patch.settings.pg_settings = PgSettings{{"work_mem", "64MB"}};
    EXPECT_EQ(message(update_primary("p", patch)), "");
    settle();
    computes_.before_call = refused;
    size.settings.max_cu = 4;
    EXPECT_EQ(message(update_primary("p", size)),
              "Field 'spec.settings.pg_settings': PostgreSQL 17 refuses: invalid value");
    EXPECT_EQ(primary("p").row.max_cu, 2);
}

TEST_F(ControlTest, DisabledEndpointIsStoppedAndDoesNotWake) {
    make_project("p");
    std::string uid = primary("p").row.uid;
    EXPECT_EQ(message(update_primary("p", {.settings = {}, .disabled = true})), "");
    settle();
    EXPECT_TRUE(computes_.running.empty());
    EXPECT_EQ(message(control_->wake.wake(uid)), "the endpoint has been disabled");
    EXPECT_EQ(message(update_primary("p", {.settings = {}, .disabled = false})), "");
    settle();
    EXPECT_TRUE(control_->wake.wake(uid).ok());
}

TEST_F(ControlTest, ProjectDefaultsAreForEndpointsMadeLater) {
    make_project("p");
    ProjectPatch patch;
    patch.default_endpoint_settings.min_cu = 2;
    patch.default_endpoint_settings.max_cu = 4;
    patch.default_endpoint_settings.suspend = kNever;
    EXPECT_EQ(message(control_->projects.update("p", patch)), "");
    make_branch("p", "dev");
    EXPECT_EQ(primary("p").row.max_cu, 1);
    EXPECT_EQ(primary("p", "dev").row.max_cu, 4);
    EXPECT_EQ(primary("p", "dev").row.suspend, kNever);
}

TEST_F(ControlTest, MutationsOfWhatIsBeingMadeAreTurnedAway) {
    EXPECT_EQ(project_error("p"), "");
    auto refused = control_->projects.remove("p", true);
    EXPECT_EQ(refused.error().code(), Code::conflict);
    EXPECT_TRUE(message(refused).starts_with("Your project already has conflicting operations"));
    EXPECT_EQ(update_primary("p", {}).error().code(), Code::conflict);
    // A branch is only queued behind its source.
    auto branch = create_branch("p", "dev");
    settle();
    EXPECT_TRUE(std::holds_alternative<BranchView>(outcome(branch).result));
}

TEST_F(ControlTest, AddressesGoRoundTheBlockBeforeOneIsTakenAgain) {
    options_.addresses = AddressBlock::parse("127.77.1.0/29").value();  // .1 to .7
    open();
    for (const char* id : {"a", "b"}) make_project(id);
    EXPECT_EQ(primary("a").row.address, "127.77.1.1");
    EXPECT_EQ(primary("b").row.address, "127.77.1.2");
    EXPECT_EQ(message(control_->projects.remove("a", true)), "");
    settle();
    make_project("c");
    EXPECT_EQ(primary("c").row.address, "127.77.1.3");
    for (const char* id : {"d", "e", "f", "g"}) make_project(id);
    EXPECT_EQ(primary("g").row.address, "127.77.1.7");
    make_project("h");
    EXPECT_EQ(primary("h").row.address, "127.77.1.1");
    auto full = create_project("i");
    EXPECT_EQ(full.error().code(), Code::quota_exceeded);
    EXPECT_EQ(message(control_->projects.get("i")), "project id not found");
}

TEST_F(ControlTest, NothingNewIsMadeWhileTheDiskHasTooLittleRoom) {
    open();
    make_project("p");
    make_branch("p", "a");
    constexpr uint64_t kGiB = 1 << 30;
    computes_.disk = {.state = compute::DiskState::low, .total = 10 * kGiB, .free = kGiB / 2};
    computes_.disk.low = kGiB;
    auto refused = create_branch("p", "b");
    EXPECT_EQ(refused.error().code(), Code::no_space);
    EXPECT_EQ(message(refused),
              "cannot create branch 'b': on the server's disk 0.50 GiB of 10.0 GiB are free, and "
              "at least 1.00 GiB must be");
    EXPECT_EQ(create_project("q").error().code(), Code::no_space);
    RestoreDraft restore{
        .project = "p", .branch = "a", .source = {}, .preserve = {}, .preserved_id = {}};
    EXPECT_EQ(control_->restores.reset(restore).error().code(), Code::no_space);
    EXPECT_EQ(message(control_->branches.remove("p", "a", true)), "") << "that is the way out";
    settle();
    computes_.disk.state = compute::DiskState::enough;
    make_branch("p", "b");
}

TEST_F(ControlTest, AProjectHasSoManyBranchesAndNoMore) {
    options_.most_branches = 3;
    open();
    make_project("p");
    make_branch("p", "a");
    make_branch("p", "b");
    auto refused = create_branch("p", "c");
    EXPECT_EQ(refused.error().code(), Code::quota_exceeded);
    EXPECT_EQ(message(refused),
              "branches limit exceeded: project 'p' has 3, those among them that are deleted and "
              "can be undeleted");
    EXPECT_EQ(message(control_->branches.remove("p", "b", false)), "");
    settle();
    EXPECT_EQ(create_branch("p", "c").error().code(), Code::quota_exceeded);
    EXPECT_EQ(message(control_->branches.remove("p", "a", true)), "");
    settle();
    make_branch("p", "c");
}

TEST_F(ControlTest, FirstStartMakesAnAdministratorOnce) {
    auto token = control_->identities.bootstrap("admin@localhost");
    ASSERT_TRUE(token.ok() && *token);
    EXPECT_FALSE(control_->identities.bootstrap("admin@localhost")->has_value());
    auto caller = control_->identities.authenticate(**token);
    EXPECT_EQ(caller->user_name, "admin@localhost");
    EXPECT_TRUE(caller->is_admin);
    EXPECT_EQ(control_->identities.workspace_id()->size(), 16u);
    for (std::string wrong : {std::string(), std::string("x"), **token + "0", (**token).substr(1)})
        EXPECT_EQ(control_->identities.authenticate(wrong).error().code(), Code::unauthenticated);
    open();
    EXPECT_TRUE(control_->identities.authenticate(**token).ok());
    auto another = control_->identities.create_token("admin@localhost", "test");
    EXPECT_TRUE(control_->identities.authenticate(*another).ok());
    for (const char* name : {"", "a b", "a'b", "a\"b", "postgres", "pg_x", "databricks_superuser"})
        EXPECT_FALSE(control_->identities.bootstrap(name).ok()) << name;
}

}  // namespace
}  // namespace tarn::control
