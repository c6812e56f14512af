#include "control/wakers.h"

#include <future>

#include "control/control_fixture.h"

namespace tarn::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Computes whose starts hang until the test lets them go, the first `hanging` of them.
class WakersTest : public ControlFixture {
  protected:
    WakersTest() {
        EXPECT_TRUE(create_project("p").ok());
        settle();
    }
    ~WakersTest() override {
        let_go();
        wakers_.reset();
    }

    void hang(size_t hanging) {
        computes_.before_call = [this, hanging](const std::string& call) -> Result<void> {
            if (call != "start") return {};
            std::unique_lock lock(mutex_);
            ++begun_;
            changed_.notify_all();
            if (begun_ <= hanging) changed_.wait(lock, [this] { return let_go_; });
            return {};
        };
    }
    void let_go() {
        std::lock_guard lock(mutex_);
        let_go_ = true;
        changed_.notify_all();
    }
    bool await_begun(size_t starts, milliseconds limit = seconds{30}) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, limit, [&] { return begun_ >= starts; });
    }
    size_t begun() {
        std::lock_guard lock(mutex_);
        return begun_;
    }
    // The endpoints of that many branches, asleep.
    std::vector<std::string> asleep(size_t count) {
        std::vector<std::string> uids;
        for (size_t i = 0; i < count; ++i) {
            auto branch = fmt::format("b{}", i);
            EXPECT_TRUE(create_branch("p", branch).ok());
            settle();
            uids.push_back(primary("p", branch).row.uid);
        }
        return uids;
    }
    static bool is_woken(std::future<Result<compute::ComputeStatus>>& answer) {
        return answer.wait_for(seconds{30}) == std::future_status::ready && answer.get().ok();
    }
    std::future<Result<compute::ComputeStatus>> wake(const std::string& uid) {
        auto promise = std::make_shared<std::promise<Result<compute::ComputeStatus>>>();
        wakers_->wake(uid, [promise](const auto& outcome) { promise->set_value(outcome); });
        return promise->get_future();
    }

    std::optional<Wakers> wakers_;

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    size_t begun_ = 0;
    bool let_go_ = false;
};

TEST_F(WakersTest, StartsThatHangKeepNoOtherEndpointAsleep) {
    constexpr size_t kHanging = 3 * Wakers::kSideBySide;
    auto uids = asleep(kHanging + 1);
    hang(kHanging);
    wakers_.emplace(control_->wake, milliseconds{20});
    std::vector<std::future<Result<compute::ComputeStatus>>> hung;
    for (size_t i = 0; i < kHanging; ++i) hung.push_back(wake(uids[i]));
    ASSERT_TRUE(await_begun(kHanging)) << begun() << " have begun";
    auto other = wake(uids.back());
    EXPECT_TRUE(is_woken(other));
    let_go();
    for (auto& answer : hung) EXPECT_TRUE(is_woken(answer));
}

TEST_F(WakersTest, FewStartsRunSideBySide) {
    auto uids = asleep(Wakers::kSideBySide + 1);
    hang(uids.size());
    wakers_.emplace(control_->wake, std::chrono::hours{1});
    std::vector<std::future<Result<compute::ComputeStatus>>> answers;
    for (const auto& uid : uids) answers.push_back(wake(uid));
    ASSERT_TRUE(await_begun(Wakers::kSideBySide));
    EXPECT_FALSE(await_begun(Wakers::kSideBySide + 1, milliseconds{200}));
    let_go();
    for (auto& answer : answers) EXPECT_TRUE(is_woken(answer));
}

TEST_F(WakersTest, WhoeverAsksForTheSameEndpointSharesItsWake) {
    auto uids = asleep(1);
    hang(1);
    wakers_.emplace(control_->wake);
    auto first = wake(uids[0]);
    ASSERT_TRUE(await_begun(1));
    auto second = wake(uids[0]);
    let_go();
    EXPECT_TRUE(is_woken(first));
    EXPECT_TRUE(is_woken(second));
    EXPECT_EQ(begun(), 1u);
    auto later = wake(uids[0]);
    EXPECT_TRUE(is_woken(later)) << "a wake that is over is not joined";
}

// A proxy with a client connected to every endpoint.
class BusyDoor : public FrontDoor {
  public:
    Result<void> open(const std::string&) override { return {}; }
    void close(const std::string&, const std::string&) override {}
    void disconnect(const std::string&, const Error&) override {}
    Activity activity(const std::string&) const override {
        return {.open_sessions = 1, .blocking_sessions = 1, .last_active = {}};
    }
};

TEST_F(WakersTest, ARestartAfterACrashHoldsUpNobody) {
    BusyDoor door;
    control_->set_front_door(&door);
    hang(1);
    computes_.crash(primary("p").row.uid);
    control_->housekeeper.run_once();  // returns, though the start hangs
    EXPECT_TRUE(await_begun(1));
    let_go();
    control_->wakers.stop();
    control_->set_front_door(nullptr);
}

}  // namespace
}  // namespace tarn::control
