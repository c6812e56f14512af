#include "control/wakers.h"

#include <system_error>

#include "base/log.h"

namespace tarn::control {

void Wakers::wake(const std::string& endpoint_uid, Done done) {
    std::unique_lock lock(mutex_);
    if (stopped_) return;
    auto [entry, first] = asked_.try_emplace(endpoint_uid);
    if (first && idle_ <= queue_.size() && !add_thread() && threads_.empty()) {
        asked_.erase(entry);
        lock.unlock();
        return done(
            error(Code::unavailable, "wake endpoint {}: no thread can be made", endpoint_uid));
    }
    entry->second.push_back(std::move(done));
    if (!first) return;
    queue_.push_back(endpoint_uid);
    changed_.notify_all();
}

bool Wakers::add_thread() {
    if (threads_.size() == kMost) return false;
    try {
        threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
    } catch (const std::system_error& failure) {
        log::warn("control: no further thread to wake endpoints: {}", failure.what());
        return false;
    }
    ++idle_;
    return true;
}

void Wakers::stop() {
    std::vector<std::jthread> threads;
    {
        std::lock_guard lock(mutex_);
        stopped_ = true;
        queue_.clear();
        asked_.clear();
        threads.swap(threads_);
        for (auto& thread : threads) thread.request_stop();
    }
}

void Wakers::run(const std::stop_token& stop) {
    std::string endpoint_uid;
    Clock::time_point begun;
    while (next(stop, endpoint_uid, begun)) finish(endpoint_uid, begun, wake_.wake(endpoint_uid));
}

// When the next start may begin; nothing: now.
std::optional<Wakers::Clock::time_point> Wakers::hindered_until() const {
    if (begun_.size() < kSideBySide) return std::nullopt;
    // When they all take long, one more at a time: it may be the machine that is slow.
    auto until = *begun_.rbegin() + patience_;
    return until > Clock::now() ? std::optional(until) : std::nullopt;
}

// Takes the next endpoint; false when it is time to end.
bool Wakers::next(const std::stop_token& stop, std::string& endpoint_uid,
                  Clock::time_point& begun) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (queue_.empty()) {
            changed_.wait(lock, stop, [this] { return !queue_.empty(); });
        } else if (auto until = hindered_until()) {
            changed_.wait_until(lock, stop, *until,
                                [this] { return queue_.empty() || !hindered_until(); });
        } else {
            endpoint_uid = std::move(queue_.front());
            queue_.pop_front();
            begun = Clock::now();
            begun_.insert(begun);
            --idle_;
            return true;
        }
    }
    return false;
}

void Wakers::finish(const std::string& endpoint_uid, Clock::time_point begun,
                    const Result<compute::ComputeStatus>& outcome) {
    std::vector<Done> waiting;
    {
        std::lock_guard lock(mutex_);
        begun_.erase(begun_.find(begun));
        ++idle_;
        if (auto asked = asked_.extract(endpoint_uid)) waiting = std::move(asked.mapped());
        changed_.notify_all();  // a start may have waited for this one
    }
    for (const Done& done : waiting) done(outcome);
}

}  // namespace tarn::control
