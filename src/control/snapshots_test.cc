#include "control/snapshots.h"

#include "control/control_fixture.h"

namespace tarn::control {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;

class SnapshotsTest : public ControlFixture {
  protected:
    SnapshotsTest() {
        EXPECT_EQ(project_error("p"), "");
        settle();
    }
    static SnapshotDraft draft(const std::string& id, const std::string& branch = "production") {
        return {.project = "p",
                .id = id,
                .source = {.branch = branch_name("p", branch),
                           .at_lsn = {},
                           .at_time = {},
                           .snapshot = {}},
                .expiration = {}};
    }
    void make_branch(const std::string& id) {
        EXPECT_EQ(message(create_branch("p", id)), "");
        settle();
    }
    void take(const std::string& id, const std::string& branch = "production") {
        auto operation = control_->snapshots.create(draft(id, branch));
        EXPECT_EQ(message(operation), "");
        settle();
        EXPECT_FALSE(outcome(operation).row.error_code);
    }
    std::string error_of(const SnapshotDraft& wanted) {
        return message(control_->snapshots.create(wanted));
    }
    std::vector<std::string> ids() {
        std::vector<std::string> all;
        auto page = control_->snapshots.list("p", "", 1000);
        for (const auto& view : page->items) all.push_back(view.row.id);
        return all;
    }
    Result<meta::OperationRow> branch_from(const std::string& snapshot, const std::string& id) {
        BranchDraft wanted;
        wanted.project = "p";
        wanted.id = id;
        wanted.values.expiration = NoExpiry{};
        wanted.source.snapshot = snapshot_name("p", snapshot);
        return control_->branches.create(wanted);
    }
    // Rounds of what the server does by itself.
    void rounds(int count = 1) {
        for (int i = 0; i < count; ++i) {
            control_->history_keeper.run_once();
            control_->housekeeper.run_once();
            settle();
        }
    }
};

TEST_F(SnapshotsTest, ASnapshotOutlivesItsBranch) {
    make_branch("dev");
    take("kept", "dev");
    auto view = control_->snapshots.get("p", "kept");
    ASSERT_TRUE(view.ok());
    EXPECT_EQ(view->row.source_lsn->text(), "0/1B3C4D8");
    EXPECT_GT(view->full_size_bytes, 0u);
    ASSERT_EQ(message(control_->branches.remove("p", "dev", true)), "");
    settle();
    ASSERT_EQ(message(branch_from("kept", "again")), "");
    settle();
    auto branch = control_->branches.get("p", "again");
    EXPECT_EQ(branch->row.source_snapshot_name, "projects/p/snapshots/kept");
    EXPECT_EQ(branch->row.source_name, "projects/p/branches/dev");
    EXPECT_EQ(branch->row.source_lsn->text(), "0/1B3C4D8");
    EXPECT_TRUE(control_->roles.get("p", "again", "jane-doe").ok());
    EXPECT_EQ(message(control_->branches.remove("p", "again", true)), "") << "it is no root";
    ASSERT_EQ(message(control_->snapshots.remove("p", "kept")), "");
    settle();
    EXPECT_EQ(message(control_->snapshots.get("p", "kept")), "snapshot id not found");
    EXPECT_EQ(computes_.made.size(), 1u);
}

TEST_F(SnapshotsTest, RulesAreTold) {
    take("one");
    EXPECT_EQ(error_of(draft("one")), "snapshot already exists; snapshot_name:\"one\"");
    EXPECT_EQ(error_of(draft("x", "none")), "branch id not found");
    EXPECT_NE(error_of(draft("Not-an-id")).find("snapshot_id"), std::string::npos);
    auto late = draft("x");
    late.expiration = now_ - hours{1};
    EXPECT_NE(error_of(late).find("must lie in the future"), std::string::npos);
    auto ahead = draft("x");
    ahead.source.at_lsn = Lsn{0x3000000};
    EXPECT_NE(error_of(ahead).find("is ahead of the newest"), std::string::npos);
    EXPECT_EQ(message(branch_from("none", "x")), "snapshot id not found");
    EXPECT_EQ(message(control_->snapshots.remove("p", "none")), "snapshot id not found");
    BranchDraft both;
    both.project = "p";
    both.id = "x";
    both.values.expiration = NoExpiry{};
    both.source = {.branch = branch_name("p", "production"),
                   .at_lsn = {},
                   .at_time = {},
                   .snapshot = snapshot_name("p", "one")};
    EXPECT_NE(message(control_->branches.create(both)).find("cannot be given together"),
              std::string::npos);
    for (int i = 2; i <= 10; ++i) take(fmt::format("number-{}", i));
    EXPECT_EQ(error_of(draft("x")),
              "snapshots limit exceeded: a project has at most 10 that were not scheduled");
    EXPECT_EQ(ids().size(), 10u);
}

TEST_F(SnapshotsTest, ExpiredSnapshotsGoByThemselves) {
    auto brief = draft("brief");
    brief.expiration = hours{1};
    ASSERT_EQ(error_of(brief), "");
    take("forever");
    rounds();
    EXPECT_EQ(ids(), (std::vector<std::string>{"brief", "forever"}));
    pass(hours{1});
    rounds();
    EXPECT_EQ(ids(), std::vector<std::string>{"forever"});
    EXPECT_EQ(computes_.made.size(), 2u);
}

TEST_F(SnapshotsTest, ABranchIsRestoredFromASnapshot) {
    take("before");
    auto before = control_->branches.get("p", "production")->row.lineage;
    RestoreDraft restore{.project = "p",
                         .branch = "production",
                         .source = {},
                         .preserve = {},
                         .preserved_id = "kept"};
    restore.source.snapshot = snapshot_name("p", "before");
    ASSERT_EQ(message(control_->restores.restore(restore)), "");
    settle();
    auto kept = control_->branches.get("p", "kept")->row;
    EXPECT_EQ(kept.lineage, before);
    EXPECT_FALSE(kept.source_snapshot_name) << "it is what was there, not what came";
    EXPECT_TRUE(control_->branches.get("p", "production")->row.is_root());
    EXPECT_EQ(message(control_->restores.reset(restore)),
              "A reset takes the state of the parent: 'source_branch' and 'source_snapshot' cannot "
              "be given.");
}

TEST_F(SnapshotsTest, AProjectTakesItsSnapshotsAlong) {
    take("one");
    ASSERT_EQ(message(control_->snapshots.set_schedule("p", "production",
                                                       {{Period::day, 0, 3, hours{1}}})),
              "");
    ASSERT_EQ(message(control_->projects.remove("p", true)), "");
    settle();
    EXPECT_TRUE(computes_.made.empty());
    EXPECT_EQ(project_error("p"), "");
}

// 1'800'000'000 is Friday, 2027-01-15 08:00 UTC.
TEST_F(SnapshotsTest, AScheduleTakesOneSnapshotATime) {
    make_branch("dev");
    ASSERT_EQ(message(control_->snapshots.set_schedule(
                  "p", "dev", {{Period::day, 0, 9, hours{36}}, {Period::week, 6, 9, days{14}}})),
              "");
    rounds(2);
    EXPECT_TRUE(ids().empty()) << "what was due before is not made up for";
    pass(minutes{61});
    rounds(2);
    EXPECT_EQ(ids(), std::vector<std::string>{"dev-20270115-0900"});
    auto first = control_->snapshots.get("p", "dev-20270115-0900")->row;
    EXPECT_EQ(rfc3339(*first.source_time), "2027-01-15T09:00:00Z") << "not when the round came";
    EXPECT_EQ(first.expire_time, *first.source_time + hours{36});
    pass(days{1});
    rounds(2);
    auto both = control_->snapshots.get("p", "dev-20270116-0900");
    ASSERT_TRUE(both.ok()) << "Saturday";
    EXPECT_EQ(both->row.expire_time, *both->row.source_time + days{14}) << "the longest of both";
    // The server was down for three days: the last one that is due, and those before are gone.
    pass(days{3});
    ASSERT_EQ(message(control_->snapshots.set_schedule(
                  "p", "dev", {{Period::day, 0, 9, hours{36}}, {Period::week, 6, 9, days{14}}})),
              "")
        << "the same once more";
    rounds(2);
    EXPECT_EQ(ids(), (std::vector<std::string>{"dev-20270116-0900", "dev-20270119-0900"}));
    ASSERT_EQ(message(control_->snapshots.set_schedule("p", "dev", {})), "");
    pass(days{1});
    rounds(2);
    EXPECT_EQ(ids(), (std::vector<std::string>{"dev-20270116-0900", "dev-20270119-0900"}));
    EXPECT_TRUE(control_->snapshots.schedule("p", "dev")->cadences.empty());
}

TEST_F(SnapshotsTest, OneScheduleThatFailsHoldsUpNoOther) {
    make_branch("dev");
    for (const char* branch : {"production", "dev"})
        ASSERT_EQ(message(control_->snapshots.set_schedule("p", branch,
                                                           {{Period::day, 0, 9, hours{36}}})),
                  "");
    pass(hours{2});
    bool failed = false;
    computes_.before_call = [&](const std::string& call) -> Result<void> {
        if (call != "find_moment" || std::exchange(failed, true)) return {};
        return error(Code::data_loss, "a record is damaged");
    };
    rounds(3);
    EXPECT_TRUE(failed);
    EXPECT_EQ(ids().size(), 1u) << "and what cannot be opened is not tried for ever";
}

TEST_F(SnapshotsTest, WhatMayPassIsTriedAgain) {
    ASSERT_EQ(message(control_->snapshots.set_schedule("p", "production",
                                                       {{Period::day, 0, 9, hours{36}}})),
              "");
    pass(hours{2});
    int failures = 3;
    computes_.before_call = [&](const std::string& call) -> Result<void> {
        if (call != "find_moment" || --failures < 0) return {};
        return error(Code::unavailable, "the compute is starting");
    };
    rounds(3);
    EXPECT_TRUE(ids().empty());
    rounds();
    EXPECT_EQ(ids(), std::vector<std::string>{"production-20270115-0900"});
}

TEST_F(SnapshotsTest, BranchesWhoseIdsBeginTheSameHaveTheirOwn) {
    const std::string begin(49, 'a');
    for (const auto& id : {begin + "-1", begin + "-2"}) {
        make_branch(id);
        ASSERT_EQ(
            message(control_->snapshots.set_schedule("p", id, {{Period::day, 0, 9, hours{36}}})),
            "");
    }
    pass(hours{2});
    rounds(2);
    std::set<std::string> sources;
    auto page = control_->snapshots.list("p", "", 1000);
    for (const auto& view : page->items) sources.insert(view.row.source_uid);
    EXPECT_EQ(sources.size(), 2u);
    EXPECT_EQ(page->items.size(), 2u);
}

}  // namespace
}  // namespace tarn::control
