// wal_compressor.h: a thread that compresses archived WAL (docs/formats/compressed-wal.md), when
// the machine has nothing better to do.
//
// It is the server's: one for all lineages bounds what they take together, also those that sleep,
// and a supervisor has a running compute to look after. While the server is down WAL only takes
// more room.
//
// Threads: its own one.
#pragma once

#include <chrono>
#include <thread>

#include "compute/lineages.h"
#include "compute/user.h"

namespace tarn::compute {

class WalCompressor {
  public:
    // Begins at once, and looks again every `round`. Both outlive it.
    WalCompressor(Lineages& lineages, const ComputeUser& user, Span round);

  private:
    void run(const std::stop_token& stop);

    Lineages& lineages_;
    const ComputeUser& user_;
    const Span round_;
    std::jthread thread_;  // last: it ends before the rest goes
};

}  // namespace tarn::compute
