// The server dies at every step of its work in turn, and every call of Computes fails once in turn;
// afterwards the metadata and the computes must agree.
#include <thread>

#include "control/control_fixture.h"

namespace tarn::control {
namespace {

class CrashTest : public ControlFixture {
  protected:
    CrashTest() {
        computes_.before_call = [this](const std::string& call) { return step(call); };
        computes_.after_call = [this](const std::string& call) { return step(call); };
        open_again();
    }

    // Everything that leaves a trace is a step; from the one where the server dies nothing does.
    Result<void> step(const std::string& what) {
        ++steps_;
        if (steps_ == dies_at_) dead_ = true;
        if (dead_) return error(Code::internal, "the server is dead ({})", what);
        if (steps_ == fails_at_) return error(failure_, "{} failed", what);
        return {};
    }
    void open_again() {
        open({.before_commit = [this] { return step("commit"); }});
    }

    // What callers do in a life of the platform; each may be refused once the server is dead.
    void scenario() {
        (void)create_project("p");
        settle();
        (void)create_branch("p", "dev");
        (void)create_branch("p", "child", NoExpiry{}, "dev");
        settle();
        if (auto endpoint = control_->endpoints.get("p", "child", "primary"); endpoint.ok())
            (void)control_->wake.wake(endpoint->row.uid);
        EndpointPatch patch;
        patch.settings.pg_settings = PgSettings{{"work_mem", "64MB"}};
        (void)update_primary("p", patch);
        settle();
        SnapshotDraft snapshot;
        snapshot.project = "p";
        snapshot.id = "kept";
        snapshot.source.branch = branch_name("p", "dev");
        (void)control_->snapshots.create(snapshot);
        snapshot.id = "gone";
        (void)control_->snapshots.create(snapshot);
        settle();
        (void)control_->snapshots.remove("p", "gone");
        RestoreDraft draft;
        draft.project = "p";
        draft.branch = "child";
        (void)control_->restores.reset(draft);
        draft.branch = "dev";
        draft.source.at_lsn = Lsn{0x1a00000};
        (void)control_->restores.restore(draft);
        settle();
        (void)control_->branches.remove("p", "child", false);
        settle();
        (void)control_->branches.undelete("p", "child");
        (void)control_->branches.remove("p", "child", true);
        (void)create_project("q");
        settle();
        (void)control_->projects.remove("p", false);
        settle();
        (void)control_->projects.remove("p", true);
        settle();
    }

    // Until nothing is pending, also past the pauses before what is tried again.
    void settle_for_good() {
        auto pending = [&] {
            return !meta_->read([](meta::Session& s) { return meta::pending_operations(s); })
                        ->empty();
        };
        while (pending())
            if (!control_->reconciler.run_one()) std::this_thread::yield();
    }

    void check_consistency(const std::string& when) {
        SCOPED_TRACE(when);
        std::set<std::string> lineages;
        std::set<std::string> live_endpoints;
        std::set<std::string> addresses;
        auto read = meta_->read([&](meta::Session& s) -> Result<void> {
            std::vector<meta::ProjectRow> projects = TRY(meta::list_projects(s, "", true, 1000));
            EXPECT_EQ(static_cast<int64_t>(projects.size()), TRY(meta::count_projects(s)))
                << "a project is left in the state purging";
            for (const auto& project : projects) {
                EXPECT_NE(project.state, meta::State::creating) << project.id;
                for (const auto& snapshot : TRY(meta::all_snapshots(s, project.uid))) {
                    EXPECT_EQ(snapshot.state, meta::State::ready) << snapshot.id;
                    lineages.insert(snapshot.lineage);
                }
                auto branches = TRY(meta::all_branches(s, project.uid));
                EXPECT_FALSE(branches.empty()) << project.id;
                for (const auto& branch : branches) {
                    EXPECT_TRUE(branch.state == meta::State::ready ||
                                branch.state == meta::State::deleted)
                        << branch.id << " is " << meta::name(branch.state);
                    EXPECT_FALSE(branch.replaced_by) << branch.id;
                    lineages.insert(branch.lineage);
                    EXPECT_EQ(TRY(meta::list_roles(s, branch.uid)).size(), 1u) << branch.id;
                    EXPECT_EQ(TRY(meta::list_databases(s, branch.uid)).size(), 1u) << branch.id;
                    auto endpoints = TRY(meta::list_endpoints(s, branch.uid));
                    EXPECT_EQ(endpoints.size(), 1u) << branch.id;
                    for (const auto& endpoint : endpoints) {
                        addresses.insert(endpoint.address);
                        if (live_endpoint_by_uid(s, endpoint.uid).ok())
                            live_endpoints.insert(endpoint.uid);
                        auto runs = computes_.running.find(endpoint.uid);
                        bool on_its_own =
                            runs == computes_.running.end() || runs->second == branch.lineage;
                        EXPECT_TRUE(on_its_own) << branch.id << " runs on another's storage";
                    }
                }
            }
            EXPECT_EQ(TRY(meta::all_endpoints(s)).size(), addresses.size())
                << "an address is orphaned";
            return {};
        });
        EXPECT_TRUE(read.ok()) << message(read);
        EXPECT_EQ(computes_.made, lineages) << "storage and metadata differ";
        for (const auto& [uid, lineage] : computes_.running)
            EXPECT_TRUE(live_endpoints.contains(uid)) << uid << " runs for nobody";
        for (const auto& uid : computes_.directories)
            EXPECT_TRUE(live_endpoints.contains(uid)) << uid << " has a directory for nobody";
    }

    void start_anew() {
        control_.reset();
        meta_.reset();
        std::filesystem::remove_all(directory_);
        std::filesystem::create_directory(directory_);
        computes_.made.clear();
        computes_.running.clear();
        computes_.directories.clear();
        computes_.roles.clear();
        computes_.databases.clear();
        dies_at_ = fails_at_ = -1;
        dead_ = false;
        open_again();
        steps_ = 0;
    }

    int steps_ = 0;
    int dies_at_ = -1;
    int fails_at_ = -1;
    Code failure_ = Code::internal;
    bool dead_ = false;
};

TEST_F(CrashTest, ServerMayDieAtAnyStep) {
    for (int at = 1;; ++at) {
        start_anew();
        dies_at_ = at;
        scenario();
        bool died = dead_;
        dies_at_ = -1;
        dead_ = false;
        open_again();
        settle_for_good();
        check_consistency(fmt::format("died at step {}", at));
        if (HasFailure()) return;
        // The platform goes on to work.
        (void)create_project("after");
        settle_for_good();
        ASSERT_TRUE(control_->wake.wake(primary("after").row.uid).ok()) << at;
        if (!died) {
            EXPECT_GT(at, 90) << "the scenario has fewer steps than it should";
            break;
        }
    }
}

// Twice in a row, the second time while the first death is being repaired.
TEST_F(CrashTest, ServerMayDieAgainWhileItRecovers) {
    for (int at = 3; at < 120; at += 4) {
        for (int again = 1; again < 12; ++again) {
            start_anew();
            dies_at_ = at;
            scenario();
            dead_ = false;
            steps_ = 0;
            dies_at_ = again;
            open_again();
            settle();
            dies_at_ = -1;
            dead_ = false;
            open_again();
            settle_for_good();
            check_consistency(fmt::format("died at step {}, then at {}", at, again));
            if (HasFailure()) return;
        }
    }
}

TEST_F(CrashTest, EveryCallMayFailOnceForGood) {
    for (int at = 1;; ++at) {
        start_anew();
        fails_at_ = at;
        failure_ = Code::io_error;
        scenario();
        settle_for_good();
        check_consistency(fmt::format("failed at step {}", at));
        if (HasFailure() || steps_ < at) break;
    }
}

TEST_F(CrashTest, OperationThatFailsForGoodIsTakenBackAndSaysWhy) {
    computes_.before_call = [](const std::string& call) -> Result<void> {
        if (call == "query") return error(Code::io_error, "the disk is gone").with_hint("buy one");
        return {};
    };
    computes_.after_call = nullptr;
    auto operation = create_project("x");
    settle();
    OperationView view = outcome(operation);
    EXPECT_TRUE(view.row.done);
    EXPECT_EQ(view.row.error_code, "INTERNAL_ERROR");
    EXPECT_NE(view.row.error_message->find("make the roles and databases of projects/x"),
              std::string::npos)
        << *view.row.error_message;
    EXPECT_NE(view.row.error_message->find("the disk is gone (hint: buy one)"), std::string::npos);
    EXPECT_EQ(message(control_->projects.get("x")), "project id not found");
    check_consistency("after the failure");
    computes_.before_call = nullptr;
    EXPECT_EQ(project_error("x"), "") << "its id is free again";
}

TEST_F(CrashTest, ProjectThatIsBeingTakenBackIsNotThere) {
    computes_.before_call = [](const std::string& call) -> Result<void> {
        return error(Code::io_error, "{} failed", call);
    };
    auto operation = create_project("x");
    settle();
    EXPECT_FALSE(outcome(operation).row.done) << "its storage cannot be dropped yet";
    EXPECT_EQ(message(control_->projects.get("x")), "project id not found");
    computes_.before_call = nullptr;
    settle_for_good();
    EXPECT_NE(outcome(operation).row.error_message->find("create_root failed"), std::string::npos);
    check_consistency("afterwards");
}

TEST_F(CrashTest, LaterOperationsOfAProjectWaitForEarlierOnes) {
    computes_.before_call = [](const std::string& call) -> Result<void> {
        if (call == "start") return error(Code::unavailable, "too busy");
        return {};
    };
    auto project = create_project("x");
    auto branch = create_branch("x", "dev");
    auto other = create_project("y");
    settle();
    EXPECT_FALSE(outcome(branch).row.done);
    EXPECT_EQ(computes_.made.size(), 2u) << "only the two projects' own have been begun";
    computes_.before_call = nullptr;
    settle_for_good();
    EXPECT_FALSE(outcome(project).row.error_code);
    EXPECT_FALSE(outcome(branch).row.error_code);
    EXPECT_FALSE(outcome(other).row.error_code);
}

TEST_F(CrashTest, WhatMayPassIsTriedAgain) {
    int failures = 2;
    computes_.before_call = [&](const std::string& call) -> Result<void> {
        if (call == "start" && failures-- > 0) return error(Code::unavailable, "too busy");
        return {};
    };
    auto operation = create_project("x");
    settle_for_good();
    EXPECT_FALSE(outcome(operation).row.error_code) << *outcome(operation).row.error_message;
    EXPECT_TRUE(control_->projects.get("x").ok());
}

}  // namespace
}  // namespace tarn::control
