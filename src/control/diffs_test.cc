#include "control/diffs.h"

#include <gtest/gtest.h>

#include "control/control_fixture.h"
#include "control/uids.h"

namespace tarn::control {
namespace {

class DiffsTest : public ControlFixture {
  protected:
    DiffsTest() {
        EXPECT_EQ(message(create_project("p")), "");
        settle();
        EXPECT_EQ(message(create_branch("p", "dev")), "");
        settle();
        lineages_ = computes_.made;
        running_ = computes_.running;
    }

    Result<DiffView> diff(const std::string& from, const std::string& to) {
        return control_->diffs.make({.project = "p",
                                     .from = {.branch = from, .at_lsn = {}, .at_time = {}},
                                     .to = {.branch = to, .at_lsn = {}, .at_time = {}}});
    }
    void expect_nothing_left() {
        settle();
        EXPECT_EQ(computes_.made, lineages_);
        EXPECT_EQ(computes_.running, running_);
        auto rows = meta_->read([&](meta::Session& session) -> Result<size_t> {
            auto project = TRY(meta::find_project(session, "p"));
            return TRY(meta::all_branches(session, project->uid)).size();
        });
        EXPECT_EQ(*rows, 2u);
    }
    // As a diff that was cut short leaves it.
    meta::BranchRow leave_behind() {
        meta::BranchRow row;
        auto left = meta_->write([&](meta::Session& session) -> Result<void> {
            auto project = TRY(meta::find_project(session, "p"));
            Environment environment{[this] { return now_; }, [this] { return draw(); }};
            row.uid = draw_uid(environment, "br");
            row.id = "left";
            row.project_uid = project->uid;
            row.lineage = draw_lineage(environment);
            row.state = meta::State::purging;
            row.create_time = row.update_time = row.state_change_time = now_;
            row.delete_time = now_;
            return meta::insert_branch(session, row);
        });
        EXPECT_TRUE(left.ok());
        computes_.made.insert(row.lineage);
        return row;
    }

    std::set<std::string> lineages_;
    std::map<std::string, std::string> running_;
};

TEST_F(DiffsTest, BothSidesAreOpenedAndNothingOfThemStays) {
    int before = computes_.starts;
    auto view = diff("production", "dev");
    ASSERT_EQ(message(view), "");
    EXPECT_EQ(view->from.branch, "projects/p/branches/production");
    EXPECT_EQ(view->to.branch, "projects/p/branches/dev");
    EXPECT_TRUE(view->diff.server.empty() && view->diff.databases.empty());
    EXPECT_EQ(computes_.starts, before + 2);
    expect_nothing_left();
    EXPECT_EQ(message(diff("dev", "dev")), "");
    expect_nothing_left();
}

TEST_F(DiffsTest, WhateverFailsLeavesNothing) {
    for (std::string failing : {"create_branch", "start", "page_changes", "query"}) {
        SCOPED_TRACE(failing);
        computes_.before_call = [&](const std::string& call) -> Result<void> {
            if (call == failing) return error(Code::io_error, "no luck");
            return {};
        };
        auto view = diff("production", "dev");
        computes_.before_call = {};
        ASSERT_FALSE(view.ok());
        EXPECT_TRUE(view.error().message().starts_with("compare branch 'production' with 'dev'"));
        EXPECT_TRUE(view.error().message().ends_with("no luck"));
        expect_nothing_left();
    }
    EXPECT_EQ(message(diff("production", "none")), "branch id not found");
    expect_nothing_left();
}

TEST_F(DiffsTest, WhatAnEarlierServerLeftIsPurgedButNotWhatARestoreNeeds) {
    leave_behind();
    meta::BranchRow needed = leave_behind();
    auto set_replacement = [&](std::optional<std::string> uid) {
        return meta_->write([&](meta::Session& session) -> Result<void> {
            auto found = TRY(live_branch(session, "p", "dev"));
            found.branch.replaced_by = uid;
            return meta::update_branch(session, found.branch);
        });
    };
    ASSERT_TRUE(set_replacement(needed.uid).ok());
    ASSERT_TRUE(control_->diffs.end_leftovers().ok());
    settle();
    std::set<std::string> expected = lineages_;
    expected.insert(needed.lineage);
    EXPECT_EQ(computes_.made, expected);
    ASSERT_TRUE(set_replacement(std::nullopt).ok());
    ASSERT_TRUE(control_->diffs.end_leftovers().ok());
    expect_nothing_left();
}

TEST_F(DiffsTest, AServerThatEndsMakesNone) {
    control_->diffs.cancel();
    EXPECT_EQ(diff("production", "dev").error().code(), Code::unavailable);
    expect_nothing_left();
}

}  // namespace
}  // namespace tarn::control
