#include "proxy/workers.h"

#include <algorithm>

namespace tarn::proxy {

Workers::Workers(unsigned count) {
    for (unsigned i = 0; i < std::max(count, 1u); ++i) threads_.emplace_back([this] { work(); });
}

void Workers::add(Job job) {
    {
        std::lock_guard lock(mutex_);
        if (stopped_) return;
        jobs_.push_back(std::move(job));
    }
    wanted_.notify_one();
}

void Workers::stop() {
    {
        std::lock_guard lock(mutex_);
        stopped_ = true;
        jobs_.clear();
    }
    wanted_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

void Workers::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        wanted_.wait(lock, [&] { return stopped_ || !jobs_.empty(); });
        if (stopped_) return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job();
        job = nullptr;  // what it holds goes before the lock is taken again
        lock.lock();
    }
}

}  // namespace tarn::proxy
