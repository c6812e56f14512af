// wakers.h: the threads that wait while computes start.
//
// One waker an endpoint: whoever asks for the same one meanwhile shares its wake. A few starts
// run side by side, because more would only slow each other down; when those take long (they
// recover, or hang), one more joins them at a time, so that they keep no other endpoint asleep.
// Threads come with demand and stay.
//
// Threads: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "control/wake.h"

namespace tarn::control {

class Wakers {
  public:
    static constexpr size_t kSideBySide = 8;
    static constexpr std::chrono::milliseconds kPatience{2000};
    // Starts that hang and are waited for; the next endpoint waits for one of them to end.
    static constexpr size_t kMost = 256;

    explicit Wakers(Wake& wake, std::chrono::milliseconds patience = kPatience)
        : wake_(wake), patience_(patience) {}
    ~Wakers() { stop(); }

    using Done = std::function<void(const Result<compute::ComputeStatus>&)>;
    // Wakes the endpoint; `done` is called from another thread, or from this one if no thread can
    // be made. After stop() it is not called any more.
    void wake(const std::string& endpoint_uid, Done done);
    // Waits for the wakes that have begun: Computes::let_go() ends them.
    void stop();

  private:
    using Clock = std::chrono::steady_clock;

    void run(const std::stop_token& stop);
    bool next(const std::stop_token& stop, std::string& endpoint_uid, Clock::time_point& begun);
    void finish(const std::string& endpoint_uid, Clock::time_point begun,
                const Result<compute::ComputeStatus>& outcome);
    bool add_thread();
    std::optional<Clock::time_point> hindered_until() const;

    Wake& wake_;
    const std::chrono::milliseconds patience_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    // All under mutex_.
    bool stopped_ = false;
    std::map<std::string, std::vector<Done>> asked_;  // for each endpoint that is being woken
    std::deque<std::string> queue_;                   // those of them that nobody has begun with
    std::multiset<Clock::time_point> begun_;          // of the starts under way
    size_t idle_ = 0;                                 // threads that will look at the queue
    std::vector<std::jthread> threads_;
};

}  // namespace tarn::control
