#include "sys/poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tarn::sys {
namespace {

constexpr uint32_t kStreamEvents = EPOLLIN | EPOLLRDHUP | EPOLLET;

}  // namespace

Result<Poller> Poller::create() {
    Socket epoll(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.is_open()) return errno_error(errno, "make an epoll instance");
    return Poller(std::move(epoll));
}

Result<void> Poller::watch_readable(const Socket& socket, uint64_t tag) {
    return watch(socket, tag, EPOLLIN);
}

Result<void> Poller::watch_stream(const Socket& socket, uint64_t tag) {
    return watch(socket, tag, kStreamEvents);
}

void Poller::watch_room(const Socket& socket, uint64_t tag, bool wanted) {
    epoll_event event = {};
    event.events = wanted ? kStreamEvents | EPOLLOUT : kStreamEvents;
    event.data.u64 = tag;
    // Fails only for a socket that is not watched, which is the caller's mistake.
    CHECK(epoll_ctl(epoll_.fd(), EPOLL_CTL_MOD, socket.fd(), &event) == 0, "errno {}", errno);
}

Result<void> Poller::watch(const Socket& socket, uint64_t tag, uint32_t events) {
    epoll_event event = {};
    event.events = events;
    event.data.u64 = tag;
    if (epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, socket.fd(), &event) != 0)
        return errno_error(errno, "watch a socket");
    return {};
}

void Poller::forget(const Socket& socket) {
    // Fails only if the socket is not watched, which is what is wanted.
    (void)epoll_ctl(epoll_.fd(), EPOLL_CTL_DEL, socket.fd(), nullptr);
}

std::span<Ready> Poller::wait(std::span<Ready> ready, int timeout_ms) {
    std::array<epoll_event, 256> events;
    int capacity = static_cast<int>(std::min(events.size(), ready.size()));
    int count = epoll_wait(epoll_.fd(), events.data(), capacity, timeout_ms);
    if (count < 0) {
        CHECK(errno == EINTR, "epoll_wait: errno {}", errno);
        count = 0;
    }
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
        uint32_t seen = events[i].events;
        ready[i] = {.tag = events[i].data.u64,
                    .readable = (seen & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                    .writable = (seen & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0,
                    .hung_up = (seen & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                    .failed = (seen & (EPOLLHUP | EPOLLERR)) != 0};
    }
    return ready.first(static_cast<size_t>(count));
}

Result<Waker> Waker::create() {
    Socket event(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!event.is_open()) return errno_error(errno, "make an event descriptor");
    return Waker(std::move(event));
}

void Waker::wake() {
    uint64_t one = 1;
    // Fails only when the counter is full, and then it is readable already.
    (void)!write(event_.fd(), &one, sizeof one);
}

void Waker::clear() {
    uint64_t count;
    (void)!read(event_.fd(), &count, sizeof count);  // fails when nobody woke it: clear already
}

Result<uint64_t> raise_descriptor_limit() {
    rlimit limit = {};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return errno_error(errno, "read the descriptor limit");
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            return errno_error(errno,
                               fmt::format("raise the descriptor limit to {}", limit.rlim_max));
    }
    return static_cast<uint64_t>(limit.rlim_cur);
}

}  // namespace tarn::sys
