// wal_supply.h: keeps WAL segments ahead of a compute that writes much (see wal/wal_ahead.h).
//
// A compute that stays within the segment it began in gets none: a branch that writes little takes
// little disk. What is left at a clean end is taken back.
//
// Threads: one, the supervisor's.
#pragma once

#include <cstdint>
#include <string>

#include "base/lsn.h"
#include "base/result.h"
#include "store/lineage.h"
#include "store/page_map.h"

namespace tarn::compute {

class WalSupply {
  public:
    WalSupply() = default;
    // `begin`: where the compute's own WAL begins.
    WalSupply(const store::Store& store, store::LogId log, Lsn begin);

    // Before PostgreSQL is started.
    void prepare(store::MapHeader& header);
    // PostgreSQL runs and may have begun another segment. That none can be made is only logged:
    // PostgreSQL makes its own where it finds none. An error is a failed sync: the log is
    // poisoned, and PostgreSQL must not go on.
    Result<void> keep(store::MapHeader& header);
    // PostgreSQL was shut down, and the last restore point says so.
    void end(const store::MapHeader& header);

  private:
    const store::Store* store_ = nullptr;
    std::string directory_;
    uint64_t first_ = 0;  // segment into which the compute writes first
    uint64_t begun_ = 0;  // the newest that held WAL before
    uint64_t seen_ = 0;   // the newest one that keep() has answered
};

}  // namespace tarn::compute
