// poller.h: epoll, and the way to wake a thread that waits in it.
//
// Streams are watched edge-triggered: readiness is remembered by the owner until a call would
// block, and a busy connection costs no epoll_ctl. Room to write is reported only on demand: a Unix
// socket would report it each time its peer reads.
//
// Threads: wait() by one; the rest by any.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "sys/sockets.h"

namespace tarn::sys {

struct Ready {
    uint64_t tag = 0;
    bool readable = false;  // or ended, or failed: reading tells
    bool writable = false;
    bool hung_up = false;  // the peer sends nothing more, or the connection failed
    bool failed = false;
};

class Poller {
  public:
    static Result<Poller> create();

    // Reports `tag` whenever something can be read.
    Result<void> watch_readable(const Socket& socket, uint64_t tag);
    // Reports each change to readable or hung up.
    Result<void> watch_stream(const Socket& socket, uint64_t tag);
    // Of a watched stream: whether to report, too, that it can be written to.
    void watch_room(const Socket& socket, uint64_t tag, bool wanted);
    // Closing a socket does this too.
    void forget(const Socket& socket);

    // Waits at most `timeout_ms` (for ever if negative); the filled part of `ready`.
    std::span<Ready> wait(std::span<Ready> ready, int timeout_ms);

  private:
    explicit Poller(Socket epoll) : epoll_(std::move(epoll)) {}
    Result<void> watch(const Socket& socket, uint64_t tag, uint32_t events);

    Socket epoll_;
};

// A descriptor that becomes readable on demand.
class Waker {
  public:
    static Result<Waker> create();

    void wake();
    void clear();
    const Socket& socket() const { return event_; }

  private:
    explicit Waker(Socket event) : event_(std::move(event)) {}

    Socket event_;
};

// Raises the soft limit of open descriptors to the hard one; answers the limit that now holds.
Result<uint64_t> raise_descriptor_limit();

}  // namespace tarn::sys
