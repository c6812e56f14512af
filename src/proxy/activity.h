// activity.h: how many sessions each endpoint has, and when bytes last moved in one of them.
//
// What decides over suspending an endpoint reads this; the relay writes it with two relaxed stores.
// Threads: any.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/time.h"

namespace tarn::proxy {

// As sys::Clock::elapsed() counts.
using Elapsed = Span;

struct EndpointActivity {
    size_t sessions = 0;     // logged in, those that still wait for the compute among them
    Elapsed last_active{0};  // login, bytes in either direction, or the end of a session
};

class Activity {
  public:
    struct Usage {
        std::atomic<size_t> sessions = 0;
        std::atomic<Elapsed> last_active = Elapsed(0);
    };

    // One session, from its login to its end.
    class Session {
      public:
        Session() = default;
        Session(std::shared_ptr<Usage> usage, Elapsed now) : usage_(std::move(usage)) {
            touch(now);
        }
        Session(Session&&) = default;
        Session& operator=(Session&& other) noexcept {
            std::swap(usage_, other.usage_);
            return *this;
        }
        ~Session() {
            if (usage_) usage_->sessions.fetch_sub(1);
        }

        explicit operator bool() const { return usage_ != nullptr; }
        void touch(Elapsed now) { usage_->last_active.store(now, std::memory_order_relaxed); }

      private:
        std::shared_ptr<Usage> usage_;
    };

    // A session more; none if the endpoint has `sessions_max` already.
    std::optional<Session> open(const std::string& endpoint, size_t sessions_max, Elapsed now);
    // None if the endpoint never had a session.
    std::optional<EndpointActivity> of(const std::string& endpoint) const;
    // Drops what is known of an endpoint that is gone for good.
    void forget(const std::string& endpoint);

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Usage>> usages_;  // guarded by mutex_
};

}  // namespace tarn::proxy
