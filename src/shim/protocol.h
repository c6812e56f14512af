// protocol.h: what the shim and the supervisor of its compute say to each other.
//
// The supervisor passes the map by name in the environment and everything else inside the map's
// header; the shim answers through `caller_state` and rings the event descriptor. Both sides
// include this file.
#pragma once

#include <atomic>
#include <cstdint>

#include "store/page_map.h"

namespace tarn::shim {

// Environment of the postgres process; the shim removes all of it (and LD_PRELOAD) once it has read
// it, so that programs started by PostgreSQL run without the shim.
constexpr char kMapVariable[] = "TARN_MAP";         // path of the map file
constexpr char kEventVariable[] = "TARN_EVENT_FD";  // an eventfd, rung after each change below
constexpr char kLockVariable[] = "TARN_LOCK_FD";  // the lineage lock: kept by forks, closed by exec

// Bits of MapHeader::caller_state.
enum ShimState : uint32_t {
    kRecoveryReady = 1,  // the startup process has read standby.signal: promotion may be asked for
};

// The beginning of MapHeader::caller_area: numbers of WAL segments. The event is rung when `newest`
// has changed.
struct WalSegments {
    std::atomic<uint64_t> newest;  // written to last
    std::atomic<uint64_t> named;   // the names of those up to it are durable
};
// Behind it: how long the replay of all WAL that was synced in this incarnation may take, in
// nanoseconds. The event is rung once when it reaches `ring_at`, which the supervisor sets anew.
struct ReplayEstimate {
    std::atomic<uint64_t> total;
    std::atomic<uint64_t> ring_at;  // 0: never
};

// By the supervisor for what it has made, by the shim for what it has synced itself.
inline void raise_named(WalSegments& segments, uint64_t segment) {
    uint64_t current = segments.named.load();
    while (current < segment && !segments.named.compare_exchange_weak(current, segment)) {
    }
}
inline WalSegments& wal_segments(store::MapHeader& header) {
    return *reinterpret_cast<WalSegments*>(header.caller_area);
}

inline ReplayEstimate& replay_estimate(store::MapHeader& header) {
    return *reinterpret_cast<ReplayEstimate*>(header.caller_area + sizeof(WalSegments));
}

}  // namespace tarn::shim
