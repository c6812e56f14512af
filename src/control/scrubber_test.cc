#include "control/scrubber.h"

#include <gtest/gtest.h>

#include "control/branch_health.h"
#include "control/control_fixture.h"

namespace tarn::control {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class ScrubberTest : public ControlFixture {
  protected:
    ScrubberTest() {
        for (const char* project : {"p", "q"}) {
            EXPECT_EQ(message(create_project(project)), "");
            settle();
        }
        scrub();  // meets them
        EXPECT_TRUE(computes_.verified.empty());
    }

    void scrub() {
        auto done = control_->scrubber.run_once();
        EXPECT_TRUE(done.ok()) << message(done);
    }
    std::string lineage_of(const std::string& project) {
        return control_->branches.get(project, "production")->row.lineage;
    }
    meta::VerificationRow known(const std::string& project) {
        auto health = health_of(control_->core(), lineage_of(project));
        EXPECT_TRUE(health.ok() && health->verification);
        return *health->verification;
    }
    static compute::Verified damaged() {
        compute::Verified found;
        found.bytes = 8192;
        found.damage_count = 2;
        found.damages = {"block 1", "block 2"};
        found.newest_whole = compute::BranchPoint{Lsn{7}, Time{seconds{8}}};
        return found;
    }
};

TEST_F(ScrubberTest, EachLineageIsReadWhenItIsDueAndItsSisterWithIt) {
    pass(hours{13});
    EXPECT_EQ(message(create_branch("p", "young")), "");
    settle();
    scrub();
    EXPECT_TRUE(computes_.verified.empty()) << "nothing is due";
    pass(hours{11});
    scrub();
    EXPECT_EQ(computes_.verified.size(), 2u) << "the young one not yet";
    EXPECT_EQ(known("p").whole_time, now_);
    scrub();
    EXPECT_EQ(computes_.verified.size(), 2u);
    pass(hours{24});
    scrub();
    EXPECT_EQ(computes_.verified.size(), 5u);
}

TEST_F(ScrubberTest, WhatIsFoundIsKeptUntilItIsFoundOtherwise) {
    computes_.findings.emplace(lineage_of("p"), damaged());
    pass(hours{24});
    Time first = now_;
    scrub();
    EXPECT_EQ(known("p").damage_count, 2);
    EXPECT_EQ(known("p").damages, R"(["block 1","block 2"])");
    EXPECT_EQ(known("p").newest_whole_lsn, Lsn{7});
    EXPECT_FALSE(known("p").whole_time);
    EXPECT_EQ(known("q").damage_count, 0);
    open();  // the next server
    EXPECT_EQ(known("p").verify_time, first);
    computes_.findings.clear();
    pass(hours{24});
    scrub();
    EXPECT_EQ(known("p").damage_count, 0);
    EXPECT_EQ(known("p").whole_time, now_);
}

TEST_F(ScrubberTest, AfterARestartTheOneReadLongestAgoIsFirst) {
    pass(hours{24});
    int reads = 0;
    std::stop_source stop;
    computes_.after_call = [&](const std::string& call) -> Result<void> {
        if (call != "verify" || ++reads < 2) return {};
        stop.request_stop();
        return error(Code::unavailable, "it ends");
    };
    EXPECT_TRUE(control_->scrubber.run_once(stop.get_token()).ok());
    std::string read = computes_.verified.at(0), cut_short = computes_.verified.at(1);
    computes_.after_call = nullptr;
    computes_.verified.clear();
    pass(seconds{60});
    open();
    scrub();
    EXPECT_EQ(computes_.verified, std::vector<std::string>{cut_short}) << "the other was read";
}

TEST_F(ScrubberTest, WhatCannotBeReadIsToldAndOthersAreRead) {
    computes_.findings.emplace(lineage_of("p"), error(Code::permission_denied, "not yours"));
    pass(hours{24});
    scrub();
    EXPECT_EQ(known("p").failure, "not yours");
    EXPECT_FALSE(known("p").verify_time);
    EXPECT_EQ(known("q").whole_time, now_);
    scrub();
    EXPECT_EQ(computes_.verified.size(), 2u) << "not again and again";
}

TEST_F(ScrubberTest, OneWithNothingInItYetWaitsAndHurriesNobody) {
    computes_.findings.emplace(lineage_of("p"), error(Code::unavailable, "nothing in it"));
    pass(hours{24});
    scrub();
    EXPECT_FALSE(known("p").verify_time || known("p").failure);
    pass(hours{13});
    scrub();
    EXPECT_EQ(computes_.verified.size(), 2u);
}

TEST_F(ScrubberTest, OfALineageThatIsGoneNothingStays) {
    std::string lineage = lineage_of("q");
    pass(hours{24});
    scrub();
    computes_.made.erase(lineage);
    scrub();
    auto row = meta_->read([&](meta::Session& s) { return meta::get_verification(s, lineage); });
    ASSERT_TRUE(row.ok());
    EXPECT_FALSE(row->has_value());
}

}  // namespace
}  // namespace tarn::control
