// wal_compressor.h: a thread that compresses archived WAL (docs/formats/compressed-wal.md), when
// the machine has nothing better to do.
//
// It is the server's: one for all lineages bounds what they take together, also those that sleep,
// and a supervisor has a running compute to look after. While the server is down WAL only takes
// more room.
//
// While the disk is critical it makes nothing: a compressed file comes before the plain one goes.
//
// Threads: its own one.
#pragma once

#include <chrono>
#include <thread>

#include "compute/disk_space.h"
#include "compute/lineages.h"
#include "compute/user.h"

namespace tarn::compute {

class WalCompressor {
  public:
    // Begins at once, and looks again every `round`. The first two outlive it.
    WalCompressor(Lineages& lineages, const ComputeUser& user, Span round, DiskWatch disk);

  private:
    void run(const std::stop_token& stop);
    void compress(const std::stop_token& stop, uint64_t lineage);
    bool is_critical() { return disk_.look().state == DiskState::critical; }

    Lineages& lineages_;
    const ComputeUser& user_;
    const Span round_;
    DiskWatch disk_;
    std::jthread thread_;  // last: it ends before the rest goes
};

}  // namespace tarn::compute
