// stats.h: what the proxy counts.
#pragma once

#include <atomic>
#include <cstdint>

namespace tarn::proxy {

// Written by the event loop, read by any thread.
struct Counters {
    std::atomic<uint64_t> connections_open = 0;
    std::atomic<uint64_t> connections_accepted = 0;
    std::atomic<uint64_t> connections_dropped = 0;  // over the limit, without a word
    std::atomic<uint64_t> accept_pauses = 0;        // descriptors or memory ran out
    std::atomic<uint64_t> logins_done = 0;
    std::atomic<uint64_t> logins_refused = 0;
    std::atomic<uint64_t> cancels_forwarded = 0;
    std::atomic<uint64_t> server_retries = 0;
    std::atomic<uint64_t> bytes_from_clients = 0;  // of sessions that have ended
    std::atomic<uint64_t> bytes_from_servers = 0;
};

}  // namespace tarn::proxy
