// workers.h: a few threads for what may block: look-ups and password checks.
//
// The queue is as long as there are connections, each of which waits for at most one job.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace tarn::proxy {

class Workers {
  public:
    using Job = std::function<void()>;

    explicit Workers(unsigned count);
    ~Workers() { stop(); }

    void add(Job job);
    // Drops what has not begun and waits for what has.
    void stop();

  private:
    void work();

    std::mutex mutex_;
    std::condition_variable wanted_;
    std::deque<Job> jobs_;  // guarded by mutex_
    bool stopped_ = false;  // guarded by mutex_
    std::vector<std::thread> threads_;
};

}  // namespace tarn::proxy
