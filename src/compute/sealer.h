// sealer.h: turns the seals that the shim publishes into restore points.
//
// Order of taking: index of the seal, small files, file list, and the WAL flush
// position last: what was read is at most as new as that position, so replay up to it makes it
// whole.
//
// Threads: one, the supervisor's.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "compute/opening.h"
#include "store/lineage.h"

namespace tarn::compute {

class Sealer {
  public:
    static Result<Sealer> begin(const store::Store& store, const Opening& opening,
                                std::string pgdata);

    store::MapHeader& header() { return map_.header(); }

    // Makes a restore point of the newest seal; false if there is none that has not been taken.
    // `shut_down`: PostgreSQL has ended; true only counts if the control file says so too.
    Result<bool> take(bool shut_down);
    // The newest restore point of this incarnation.
    const std::optional<store::RestorePoint>& newest() const { return newest_; }
    // Is the newest restore point a clean shutdown?
    bool is_shut_down() const { return shut_down_; }

  private:
    Sealer(const store::Store& store, store::LogId log, std::string pgdata,
           store::MappedMap mapped);
    Result<store::RestorePoint> collect(const store::ControlBuffer& control, bool shut_down);

    const store::Store* store_;
    store::LogId log_;
    std::string pgdata_;
    store::MappedMap mapped_;
    store::PageMap map_;
    store::RestorePoint base_;  // what the incarnation began from
    std::optional<store::RestorePoint> newest_;
    uint64_t taken_ = 0;      // number of the last seal that became a restore point
    uint64_t replay_us_ = 0;  // estimate for the WAL before this opening of the lineage
    bool shut_down_ = false;
};

}  // namespace tarn::compute
