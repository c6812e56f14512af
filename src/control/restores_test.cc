#include "control/restores.h"

#include <thread>

#include "control/control_fixture.h"

namespace tarn::control {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr Lsn kPast{0x1a00000};

class RestoresTest : public ControlFixture {
  protected:
    RestoresTest() {
        EXPECT_EQ(project_error("p"), "");
        settle();
    }
    void make_branch(const std::string& id, Expiration expiration = NoExpiry{},
                     const std::string& source = "") {
        EXPECT_EQ(message(create_branch("p", id, expiration, source)), "");
        settle();
    }
    static RestoreDraft to_past(const std::string& branch) {
        RestoreDraft draft{
            .project = "p", .branch = branch, .source = {}, .preserve = {}, .preserved_id = {}};
        draft.source.at_lsn = kPast;
        return draft;
    }
    static RestoreDraft to_parent(const std::string& branch) {
        return {.project = "p", .branch = branch, .source = {}, .preserve = {}, .preserved_id = {}};
    }
    meta::BranchRow row(const std::string& branch) {
        auto view = control_->branches.get("p", branch);
        EXPECT_TRUE(view.ok()) << message(view);
        return view->row;
    }
    std::vector<std::string> branch_ids() {
        std::vector<std::string> ids;
        auto page = control_->branches.list("p", "", "", true, 1000);
        for (const auto& view : page->items) ids.push_back(view.row.id);
        return ids;
    }
};

TEST_F(RestoresTest, ARestoredBranchKeepsItsPlaceAndItsStateBeforeIsABranch) {
    auto before = row("production");
    std::string endpoint = primary("p").row.uid;
    auto operation = control_->restores.restore(to_past("production"));
    ASSERT_EQ(message(operation), "");
    EXPECT_TRUE(row("production").replaced_by);
    settle();
    auto view = outcome(operation);
    ASSERT_FALSE(view.row.error_code) << *view.row.error_message;
    EXPECT_EQ(std::get<BranchView>(view.result).row.uid, before.uid);

    auto after = row("production");
    EXPECT_EQ(after.uid, before.uid);
    EXPECT_TRUE(after.is_settled());
    EXPECT_TRUE(after.is_root());
    EXPECT_NE(after.lineage, before.lineage);
    EXPECT_EQ(primary("p").row.uid, endpoint);
    EXPECT_EQ(computes_.running.at(endpoint), after.lineage) << "it ran before and runs again";
    EXPECT_EQ(computes_.parents.at(after.lineage), before.lineage);
    EXPECT_EQ(computes_.set_aside_from.at(after.lineage), Time{seconds{1}}) << "the moment's";

    const std::string id = "production-until-20270115-080000";
    EXPECT_EQ(view.row.preserved_branch, branch_name("p", id));
    auto kept = row(id);
    EXPECT_EQ(kept.lineage, before.lineage);
    EXPECT_EQ(kept.source_uid, before.uid) << "two roots would be one that cannot be deleted";
    EXPECT_EQ(kept.source_lsn, kPast);
    EXPECT_TRUE(control_->roles.get("p", id, "jane-doe").ok());
    EXPECT_NE(primary("p", id).row.address, primary("p").row.address);
}

TEST_F(RestoresTest, WhatARestoreOfAChildPreservesIsItsSibling) {
    make_branch("dev", hours{1});
    auto before = row("dev");
    auto draft = to_past("dev");
    draft.preserved_id = "kept";
    ASSERT_EQ(message(control_->restores.restore(draft)), "");
    settle();
    auto kept = row("kept");
    EXPECT_EQ(kept.lineage, before.lineage);
    EXPECT_EQ(kept.source_uid, before.source_uid);
    EXPECT_EQ(kept.source_lsn, before.source_lsn);
    EXPECT_EQ(kept.expire_time, before.expire_time);
    EXPECT_EQ(row("dev").source_uid, before.source_uid);
    EXPECT_EQ(row("dev").source_lsn, kPast) << "that is before it was made";
    EXPECT_EQ(message(control_->branches.remove("p", "dev", true)), "");
}

TEST_F(RestoresTest, BackFromWhatWasPreserved) {
    auto draft = to_past("production");
    draft.preserved_id = "kept";
    ASSERT_EQ(message(control_->restores.restore(draft)), "");
    settle();
    auto back = to_parent("production");
    back.source.branch = branch_name("p", "kept");
    back.preserve = false;
    ASSERT_EQ(message(control_->restores.restore(back)), "");
    settle();
    EXPECT_TRUE(row("production").is_root());
    EXPECT_EQ(branch_ids(), (std::vector<std::string>{"kept", "production"}));
    EXPECT_EQ(computes_.made.size(), 2u);
}

TEST_F(RestoresTest, AResetTakesTheParentsStateAndLeavesNothingBehind) {
    make_branch("dev");
    make_branch("other");
    auto before = row("dev");
    ASSERT_EQ(message(control_->restores.reset(to_parent("dev"))), "");
    EXPECT_EQ(branch_ids(), (std::vector<std::string>{"dev", "other", "production"}))
        << "what is made for it is nobody's to see";
    settle();
    auto after = row("dev");
    EXPECT_NE(after.lineage, before.lineage);
    EXPECT_EQ(after.source_uid, row("production").uid);
    EXPECT_EQ(after.source_lsn->text(), "0/1B3C4D8");
    EXPECT_EQ(computes_.parents.at(after.lineage), row("production").lineage);
    EXPECT_FALSE(computes_.made.contains(before.lineage));
    EXPECT_EQ(computes_.made.size(), 3u);
    EXPECT_EQ(primary("p", "dev").current, EndpointState::idle) << "it slept before";
    // Once more, to a moment, and kept.
    auto again = to_past("dev");
    again.preserve = true;
    auto operation = control_->restores.reset(again);
    ASSERT_EQ(message(operation), "");
    settle();
    EXPECT_EQ(row("dev").source_lsn, kPast);
    ASSERT_TRUE(operation->preserved_branch);
    EXPECT_EQ(computes_.made.size(), 4u);
}

TEST_F(RestoresTest, WhatMayNotBeRestoredOrResetIsNot) {
    make_branch("parent");
    make_branch("child", NoExpiry{}, "parent");
    auto restore_error = [&](const RestoreDraft& draft) {
        return message(control_->restores.restore(draft));
    };
    auto reset_error = [&](const std::string& branch) {
        return message(control_->restores.reset(to_parent(branch)));
    };
    EXPECT_EQ(reset_error("production"), "cannot reset root branch 'production': it has no parent");
    EXPECT_EQ(reset_error("parent"), "cannot reset branch 'parent' that has children");
    EXPECT_EQ(reset_error("none"), "branch id not found");
    EXPECT_EQ(restore_error(to_parent("child")),
              "One of 'source_branch_lsn', 'source_branch_time', 'source_snapshot' and "
              "'source_branch' must "
              "be given.");
    ASSERT_TRUE(
        control_->branches.update("p", "child", {.is_protected = true, .expiration = {}}).ok());
    EXPECT_EQ(reset_error("child"), "cannot reset protected branch 'child'");
    auto thrown_away = to_past("child");
    thrown_away.preserve = false;
    EXPECT_EQ(restore_error(thrown_away),
              "cannot restore protected branch 'child' without preserving its state");
    thrown_away.preserved_id = "kept";
    EXPECT_NE(restore_error(thrown_away).find("'preserve' says that there is to be none"),
              std::string::npos);
    auto taken = to_past("parent");
    taken.preserved_id = "child";
    EXPECT_EQ(restore_error(taken), "branch already exists; branch_name:\"child\"");
    auto ahead = to_past("parent");
    ahead.source.at_lsn = Lsn{0x3000000};
    EXPECT_NE(restore_error(ahead).find("is ahead of the newest"), std::string::npos);
    auto elsewhere = to_parent("parent");
    elsewhere.source.branch = "projects/q/branches/production";
    EXPECT_EQ(restore_error(elsewhere),
              "source_branch field must point to the branch from the same Project");
    EXPECT_EQ(branch_ids(), (std::vector<std::string>{"child", "parent", "production"}));
    EXPECT_EQ(restore_error(to_past("parent")), "") << "children do not hinder a restore";
    settle();
    EXPECT_EQ(row("child").source_uid, row("parent").uid);
}

TEST_F(RestoresTest, NothingElseHappensToABranchMeanwhile) {
    make_branch("dev");
    ASSERT_EQ(message(control_->restores.reset(to_parent("dev"))), "");
    auto conflicts = [&](const Result<meta::OperationRow>& result) {
        return !result.ok() && result.error().code() == Code::conflict;
    };
    EXPECT_TRUE(conflicts(control_->restores.reset(to_parent("dev"))));
    EXPECT_TRUE(conflicts(control_->restores.restore(to_past("dev"))));
    EXPECT_TRUE(conflicts(control_->branches.remove("p", "dev", true)));
    EXPECT_TRUE(
        conflicts(control_->branches.update("p", "dev", {.is_protected = true, .expiration = {}})));
    BranchDraft draft;
    draft.project = "p";
    draft.id = "past";
    draft.values.expiration = NoExpiry{};
    draft.source = {
        .branch = branch_name("p", "dev"), .at_lsn = kPast, .at_time = {}, .snapshot = {}};
    EXPECT_TRUE(conflicts(control_->branches.create(draft)));
    settle();
    EXPECT_EQ(message(control_->branches.create(draft)), "");
}

// The moment was looked for in storage that will not be the branch's any more.
TEST_F(RestoresTest, AMomentFoundBeforeARestoreIsNotOpenedAfterIt) {
    bool restored = false;
    computes_.after_call = [&](const std::string& call) -> Result<void> {
        if (call != "find_moment" || std::exchange(restored, true)) return {};
        EXPECT_EQ(message(control_->restores.restore(to_past("production"))), "");
        return {};
    };
    BranchDraft draft;
    draft.project = "p";
    draft.id = "past";
    draft.values.expiration = NoExpiry{};
    draft.source.at_lsn = kPast;
    auto created = control_->branches.create(draft);
    ASSERT_FALSE(created.ok());
    EXPECT_EQ(created.error().code(), Code::conflict);
}

TEST_F(RestoresTest, ARestoreThatFailsLeavesTheBranchAsItWas) {
    auto before = row("production");
    computes_.before_call = [](const std::string& call) -> Result<void> {
        if (call != "create_branch") return {};
        return error(Code::data_loss, "a record is damaged");
    };
    auto operation = control_->restores.restore(to_past("production"));
    ASSERT_EQ(message(operation), "");
    settle();
    EXPECT_EQ(outcome(operation).row.error_code, "DATA_LOSS");
    auto after = row("production");
    EXPECT_TRUE(after.is_settled());
    EXPECT_EQ(after.lineage, before.lineage);
    EXPECT_EQ(computes_.running.at(primary("p").row.uid), before.lineage);
    EXPECT_EQ(branch_ids(), std::vector<std::string>{"production"});
}

TEST_F(RestoresTest, AConnectionThatComesMeanwhileWaitsForTheEnd) {
    std::string uid = primary("p").row.uid;
    std::optional<Result<compute::ComputeStatus>> woken;
    std::jthread client;
    computes_.after_call = [&](const std::string& call) -> Result<void> {
        // The compute is gone, the branch not yet another.
        if (call == "remove") client = std::jthread([&] { woken = control_->wake.wake(uid); });
        return {};
    };
    ASSERT_EQ(message(control_->restores.restore(to_past("production"))), "");
    settle();
    client.join();
    ASSERT_TRUE(woken && woken->ok());
    EXPECT_EQ(computes_.running.at(uid), row("production").lineage);
}

TEST_F(RestoresTest, ABranchIsAwakenedAsLongAsItsRestoreWaits) {
    std::string uid = primary("p").row.uid;
    ASSERT_TRUE(control_->wake.stop(row("production").lineage, uid).ok());
    ASSERT_EQ(message(control_->restores.restore(to_past("production"))), "");
    ASSERT_TRUE(control_->wake.wake(uid).ok()) << "other operations may be in the way of that one";
    auto before = computes_.running.at(uid);
    settle();
    EXPECT_NE(computes_.running.at(uid), before);
}

TEST_F(RestoresTest, AStartThatWaitedBehindTheRestoreStartsTheNewState) {
    std::string uid = primary("p").row.uid;
    auto before = row("production").lineage;
    ASSERT_EQ(message(control_->restores.restore(to_past("production"))), "");
    FoundEndpoint found;
    ASSERT_TRUE(meta_
                    ->read([&](meta::Session& session) -> Result<void> {
                        found = TRY(live_endpoint_by_uid(session, uid));
                        return {};
                    })
                    .ok());
    settle();
    computes_.running.clear();
    found.branch.replaced_by.reset();
    auto started = control_->wake.start(found);
    ASSERT_FALSE(started.ok()) << "it knows the storage of before";
    EXPECT_EQ(started.error().code(), Code::conflict);
    EXPECT_NE(row("production").lineage, before);
    EXPECT_TRUE(control_->wake.wake(uid).ok());
}

}  // namespace
}  // namespace tarn::control
