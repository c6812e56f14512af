#include "control/wake.h"

#include <thread>

#include "control/control_fixture.h"

namespace tarn::control {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A proxy that does what tests say.
class FakeDoor : public FrontDoor {
  public:
    Result<void> open(const std::string& address) override {
        if (taken) return error(Code::unavailable, "port 5432 of {} is taken", address);
        addresses.insert(address);
        return {};
    }
    void close(const std::string&, const std::string& address) override {
        addresses.erase(address);
    }
    void disconnect(const std::string& endpoint_uid, const Error& why) override {
        disconnected[endpoint_uid] = why.message();
    }
    Activity activity(const std::string& endpoint_uid) const override {
        std::lock_guard lock(mutex);
        ++asked;
        auto found = activities.find(endpoint_uid);
        return found == activities.end() ? Activity{} : found->second;
    }

    mutable std::mutex mutex;
    mutable int asked = 0;  // under mutex, as are the activities
    bool taken = false;
    std::set<std::string> addresses;
    std::map<std::string, std::string> disconnected;
    std::map<std::string, Activity> activities;
};

class WakeTest : public ControlFixture {
  protected:
    WakeTest() {
        EXPECT_TRUE(create_project("p").ok());
        settle();
        control_->set_front_door(&door_);
        EXPECT_TRUE(control_->wake.adopt().ok());
        uid_ = primary("p").row.uid;
        EndpointPatch patch;
        patch.settings.suspend = seconds{300};
        EXPECT_TRUE(update_primary("p", patch).ok());
    }
    bool runs() { return computes_.status(uid_).state == compute::ComputeState::running; }
    EndpointState state() { return primary("p").current; }

    FakeDoor door_;
    std::string uid_;
};

TEST_F(WakeTest, IdleEndpointIsSuspendedAfterItsTime) {
    pass(seconds{299});
    control_->wake.suspend_idle();
    EXPECT_EQ(state(), EndpointState::active);
    pass(seconds{1});
    control_->wake.suspend_idle();
    EXPECT_EQ(state(), EndpointState::idle);
    EXPECT_EQ(primary("p").last_active_time, now_ - seconds{300});
    auto woken = control_->wake.wake(uid_);
    ASSERT_TRUE(woken.ok());
    EXPECT_EQ(woken->socket_directory, "/run/" + uid_);
    EXPECT_EQ(state(), EndpointState::active);
}

TEST_F(WakeTest, AStartThatFailedIsNotTriedAgainAtOnce) {
    ASSERT_TRUE(control_->wake.stop(computes_.running.at(uid_), uid_).ok());
    int tried = 0;
    computes_.before_call = [&](const std::string& call) -> Result<void> {
        if (call != "start") return {};
        ++tried;
        return error(Code::internal, "try {} failed", tried);
    };
    for (int i = 0; i < 3; ++i) {
        auto woken = control_->wake.wake(uid_);
        ASSERT_FALSE(woken.ok());
        EXPECT_NE(woken.error().message().find("try 1 failed"), std::string::npos);
    }
    EXPECT_EQ(tried, 1);
    EXPECT_EQ(primary("p").compute, compute::ComputeState::failed);
    EXPECT_NE(primary("p").reason.find("try 1 failed"), std::string::npos);
    pass(seconds{1});
    EXPECT_FALSE(control_->wake.wake(uid_).ok());
    EXPECT_EQ(tried, 2);
    computes_.before_call = nullptr;
    pass(seconds{1});
    EXPECT_TRUE(control_->wake.wake(uid_).ok());
    EXPECT_TRUE(control_->wake.wake(uid_).ok());
    EXPECT_EQ(primary("p").compute, compute::ComputeState::running);
    EXPECT_EQ(primary("p").reason, "");
}

TEST_F(WakeTest, UseKeepsItAwake) {
    door_.activities[uid_].last_active = now_ + seconds{200};
    pass(seconds{400});
    control_->wake.suspend_idle();
    EXPECT_TRUE(runs());
    EXPECT_EQ(primary("p").last_active_time, now_ - seconds{200});
    door_.activities[uid_] = {.open_sessions = 1, .blocking_sessions = 1, .last_active = now_};
    pass(hours{24});
    control_->wake.suspend_idle();
    EXPECT_TRUE(runs()) << "a session would have lost something";
    door_.activities[uid_].blocking_sessions = 0;
    control_->wake.suspend_idle();
    EXPECT_FALSE(runs());
}

TEST_F(WakeTest, UseThatBeginsWhileTheSuspendWaitsKeepsItAwake) {
    pass(seconds{300});
    auto lock = std::make_unique<KeyedLocks::Exclusive>(control_->core().lineages.exclusive(
        control_->branches.get("p", "production")->row.lineage));
    auto times_asked = [&] {
        std::lock_guard guard(door_.mutex);
        return door_.asked;
    };
    int before = times_asked();
    std::jthread suspending([&] { control_->wake.suspend_idle(); });
    while (times_asked() < before + 2) std::this_thread::yield();  // it found the endpoint idle
    {
        std::lock_guard guard(door_.mutex);
        door_.activities[uid_].last_active = now_;
    }
    lock.reset();
    suspending.join();
    EXPECT_TRUE(runs());
}

TEST_F(WakeTest, NeverMeansNever) {
    EndpointPatch patch;
    patch.settings.suspend = kNever;
    EXPECT_TRUE(update_primary("p", patch).ok());
    pass(hours{10000});
    control_->wake.suspend_idle();
    EXPECT_TRUE(runs());
}

TEST_F(WakeTest, ConcurrentCallersShareOneStart) {
    pass(seconds{300});
    control_->wake.suspend_idle();
    ASSERT_FALSE(runs());
    int before = computes_.starts;
    std::vector<std::jthread> callers;
    std::atomic<int> woken{0};
    for (int i = 0; i < 16; ++i)
        callers.emplace_back([&] { woken += control_->wake.wake(uid_).ok(); });
    callers.clear();
    EXPECT_EQ(woken, 16);
    EXPECT_EQ(computes_.starts, before + 1);
}

TEST_F(WakeTest, CrashedComputeIsBackAtOnceIfSomebodyIsConnected) {
    computes_.crash(uid_);
    EXPECT_TRUE(control_->wake.crashed_in_use().empty()) << "nobody needs it";
    EXPECT_FALSE(runs());
    EXPECT_EQ(state(), EndpointState::idle);
    ASSERT_TRUE(control_->wake.wake(uid_).ok());
    door_.activities[uid_].open_sessions = 1;
    computes_.crash(uid_);
    control_->housekeeper.run_once();
    while (!runs()) std::this_thread::yield();
}

TEST_F(WakeTest, NextServerAdoptsWhatRunsAndEndsWhatNobodyKnows) {
    computes_.running["ep-stranger"] = "lineage";
    computes_.directories.insert("ep-stranger");
    open();
    EXPECT_TRUE(runs());
    EXPECT_FALSE(computes_.running.contains("ep-stranger"));
    EXPECT_FALSE(computes_.directories.contains("ep-stranger"));
    // Its idle time begins with the new server.
    pass(seconds{299});
    control_->wake.suspend_idle();
    EXPECT_TRUE(runs());
    pass(seconds{1});
    control_->wake.suspend_idle();
    EXPECT_FALSE(runs());
}

TEST_F(WakeTest, DoorsAreOpenForWhatExistsAndShutForWhatDoesNot) {
    std::string production = primary("p").row.address;
    EXPECT_EQ(door_.addresses, std::set<std::string>{production});
    EXPECT_TRUE(create_branch("p", "dev").ok());
    EXPECT_FALSE(door_.addresses.contains(primary("p", "dev").row.address)) << "not made yet";
    settle();
    std::string dev = primary("p", "dev").row.address;
    EXPECT_EQ(door_.addresses, (std::set<std::string>{production, dev}));
    EXPECT_TRUE(control_->branches.remove("p", "dev", false).ok());
    settle();
    EXPECT_EQ(door_.addresses, std::set<std::string>{production});
    EXPECT_TRUE(control_->branches.undelete("p", "dev").ok());
    settle();
    EXPECT_TRUE(door_.addresses.contains(dev));
    EXPECT_TRUE(control_->projects.remove("p", true).ok());
    settle();
    EXPECT_TRUE(door_.addresses.empty());
}

TEST_F(WakeTest, DoorThatCannotBeOpenedFailsTheOperationWithTheReason) {
    door_.taken = true;
    auto operation = create_branch("p", "dev");
    while (!outcome(operation).row.done)
        if (!control_->reconciler.run_one()) std::this_thread::yield();
    EXPECT_EQ(outcome(operation).row.error_code, "TEMPORARILY_UNAVAILABLE");
    EXPECT_NE(outcome(operation).row.error_message->find("is taken"), std::string::npos);
    EXPECT_EQ(message(control_->branches.get("p", "dev")), "branch id not found");
    EXPECT_EQ(computes_.made.size(), 1u);
}

TEST_F(WakeTest, UpdateThatRestartsTellsTheSessions) {
    EndpointPatch patch;
    patch.settings.pg_settings = PgSettings{{"work_mem", "1MB"}};
    EXPECT_TRUE(update_primary("p", patch).ok());
    settle();
    EXPECT_EQ(door_.disconnected[uid_], "the endpoint is restarted by an update");
    EXPECT_TRUE(update_primary("p", {.settings = {}, .disabled = true}).ok());
    settle();
    EXPECT_EQ(door_.disconnected[uid_], "the endpoint was disabled by an update");
}

TEST_F(WakeTest, ThreadsCarryOperationsOutAndWaitersLearnOfIt) {
    ASSERT_TRUE(control_->start().ok());
    auto operation = create_project("threaded");
    auto done = control_->operations.get("projects/threaded", operation->id, seconds{30});
    ASSERT_TRUE(done.ok());
    EXPECT_TRUE(done->row.done);
    EXPECT_FALSE(done->row.error_code);
    // Patience ends.
    computes_.before_call = [](const std::string&) -> Result<void> {
        return error(Code::unavailable, "busy");
    };
    auto stuck = create_branch("threaded", "stuck");
    auto waited =
        control_->operations.get("projects/threaded/branches/stuck", stuck->id, milliseconds{50});
    EXPECT_FALSE(waited->row.done);
    EXPECT_EQ(message(control_->operations.get("projects/p", stuck->id, Span{0})),
              "operation not found")
        << "an operation belongs to its resource";
    control_->stop();
}

}  // namespace
}  // namespace tarn::control
