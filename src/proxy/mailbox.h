// mailbox.h: how other threads speak to the event loop.
//
// Shared by those who may still have something to say when the loop is gone; a letter that nobody
// takes is dropped.
//
// Threads: post() by any, take() by the loop.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "sys/poller.h"

namespace tarn::proxy {

class Connection;

class Mailbox {
  public:
    // What to do with the connection it is for, if that still exists.
    using Letter = std::function<void(Connection&)>;
    using Letters = std::vector<std::pair<uint64_t, Letter>>;

    explicit Mailbox(sys::Waker waker) : waker_(std::move(waker)) {}

    void post(uint64_t connection, Letter letter) {
        {
            std::lock_guard lock(mutex_);
            letters_.emplace_back(connection, std::move(letter));
            if (letters_.size() > 1) return;  // woken already
        }
        waker_.wake();
    }
    void wake() { waker_.wake(); }
    Letters take() {
        waker_.clear();
        std::lock_guard lock(mutex_);
        return std::exchange(letters_, {});
    }
    const sys::Socket& socket() const { return waker_.socket(); }

  private:
    sys::Waker waker_;
    std::mutex mutex_;
    Letters letters_;  // guarded by mutex_
};

}  // namespace tarn::proxy
