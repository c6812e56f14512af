// keyed_locks.h: one reader-writer lock a name, made on demand and forgotten when nobody holds it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

namespace tarn::control {

class KeyedLocks {
  public:
    template <class Lock>
    class Held {
      public:
        explicit Held(std::shared_ptr<std::shared_mutex> mutex)
            : mutex_(std::move(mutex)), lock_(*mutex_) {}

      private:
        std::shared_ptr<std::shared_mutex> mutex_;  // outlives the lock: destroyed after it
        Lock lock_;
    };
    using Exclusive = Held<std::unique_lock<std::shared_mutex>>;
    using Shared = Held<std::shared_lock<std::shared_mutex>>;

    Exclusive exclusive(const std::string& key) { return Exclusive(find(key)); }
    Shared shared(const std::string& key) { return Shared(find(key)); }

  private:
    std::shared_ptr<std::shared_mutex> find(const std::string& key) {
        std::lock_guard lock(mutex_);
        std::erase_if(locks_, [](const auto& entry) { return entry.second.expired(); });
        std::weak_ptr<std::shared_mutex>& entry = locks_[key];
        auto found = entry.lock();
        if (!found) entry = found = std::make_shared<std::shared_mutex>();
        return found;
    }

    std::mutex mutex_;
    std::map<std::string, std::weak_ptr<std::shared_mutex>> locks_;
};

}  // namespace tarn::control
