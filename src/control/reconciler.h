// reconciler.h: carries pending operations out.
//
// Operations of one project run one after the other in the order they were asked for; those of
// different projects run side by side. Kicked by every mutation, and looks by itself as well, so
// that a lost kick or a restart costs nothing. What fails for a reason that may pass is tried again
// with growing pauses; what fails for good, or too often, is taken back and ends with its error.
// Deletes are tried for ever: there is nothing to go back to.
//
// Threads: its own; run_one() for tests that want none.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "control/steps.h"

namespace tarn::control {

class Reconciler {
  public:
    Reconciler(Core& core, Wake& wake) : core_(core), steps_(core, wake) {}
    ~Reconciler() { stop(); }

    void start(int threads);
    // Takes up nothing more; what fails from now on is left for the next server.
    void request_stop();
    void stop();

    // Takes one operation that is due, if any, and works on it. False if there was none.
    bool run_one();

  private:
    struct Retry {
        int failures = 0;
        std::chrono::steady_clock::time_point not_before{};
    };

    void run(std::stop_token stop);
    std::optional<meta::OperationRow> claim();
    void work_on(const meta::OperationRow& operation);
    void settle(const meta::OperationRow& operation, const Error& failure);
    void release(const meta::OperationRow& operation, bool succeeded);

    Core& core_;
    Steps steps_;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;
    std::set<std::string> busy_projects_;   // under mutex_
    std::map<std::string, Retry> retries_;  // under mutex_: by operation id
    std::vector<std::jthread> threads_;
};

}  // namespace tarn::control
