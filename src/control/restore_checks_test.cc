#include "control/restore_checks.h"

#include <gtest/gtest.h>

#include "control/branch_health.h"
#include "control/control_fixture.h"

namespace tarn::control {
namespace {

using std::chrono::hours;

class RestoreChecksTest : public ControlFixture {
  protected:
    RestoreChecksTest() {
        EXPECT_EQ(message(create_project("p")), "");
        settle();
        pass(hours{1});
        lineages_ = computes_.made;
        running_ = computes_.running;
    }
    Result<RestoreCheckView> check(std::optional<Time> at = {}) {
        return control_->restore_checks.make({"p", "production", at});
    }
    std::optional<meta::RestoreCheckRow> kept() {
        auto lineage = control_->branches.get("p", "production")->row.lineage;
        return health_of(control_->core(), lineage)->restore_check;
    }
    void expect_nothing_left() {
        settle();
        EXPECT_EQ(computes_.made, lineages_);
        EXPECT_EQ(computes_.running, running_);
    }

    std::set<std::string> lineages_;
    std::map<std::string, std::string> running_;
};

TEST_F(RestoreChecksTest, AGoodOneIsKeptWithItsMomentAndLeavesNothing) {
    Time created = now_ - hours{1};
    auto view = check();
    ASSERT_TRUE(view.ok()) << message(view);
    EXPECT_EQ(view->branch, "projects/p/branches/production");
    EXPECT_EQ(view->row.failure_count, 0);
    ASSERT_TRUE(kept());
    EXPECT_EQ(kept()->good_time, now_);
    EXPECT_TRUE(kept()->moment_lsn);
    EXPECT_TRUE(kept()->moment_time >= created && kept()->moment_time <= now_);
    expect_nothing_left();
}

TEST_F(RestoreChecksTest, WhatDoesNotOpenIsAFailureAndWhatCouldNotBeTriedIsNone) {
    for (Code code : {Code::data_loss, Code::unavailable}) {
        for (const char* failing : {"create_branch", "start", "find_moment"}) {
            SCOPED_TRACE(failing);
            pass(hours{1});
            computes_.before_call = [&](const std::string& call) -> Result<void> {
                if (call == failing) return error(code, "no luck");
                return {};
            };
            auto view = check(now_ - hours{1});
            computes_.before_call = nullptr;
            EXPECT_EQ(view.ok(), code == Code::data_loss) << message(view);
            ASSERT_TRUE(kept());
            if (code == Code::data_loss) {
                EXPECT_EQ(kept()->check_time, now_);
                EXPECT_EQ(kept()->failure_count, 1);
                EXPECT_NE(kept()->failures.find("no luck"), std::string::npos);
                EXPECT_FALSE(kept()->good_time);
            } else {
                EXPECT_NE(kept()->check_time, now_);
            }
            expect_nothing_left();
        }
    }
}

TEST_F(RestoreChecksTest, TheClockAsksForOneADay) {
    auto run = [&] {
        auto done = control_->restore_checks.run_once();
        EXPECT_TRUE(done.ok()) << message(done);
    };
    run();
    EXPECT_FALSE(kept()) << "the first is a day away";
    pass(hours{24});
    run();
    ASSERT_TRUE(kept());
    Time first = kept()->check_time;
    open();
    pass(hours{23});
    run();
    EXPECT_EQ(kept()->check_time, first);
    pass(hours{1});
    run();
    EXPECT_EQ(kept()->check_time, now_);
    expect_nothing_left();
}

TEST_F(RestoreChecksTest, OneThatIsCancelledSaysNothing) {
    computes_.before_call = [&](const std::string& call) -> Result<void> {
        if (call == "query") control_->restore_checks.cancel();
        return {};
    };
    auto view = check();
    computes_.before_call = nullptr;
    EXPECT_EQ(view.error().code(), Code::unavailable);
    EXPECT_FALSE(kept());
    EXPECT_EQ(check().error().code(), Code::unavailable);
    expect_nothing_left();
}

}  // namespace
}  // namespace tarn::control
