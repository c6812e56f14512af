// turn.h: backups and prunings of one place keep out of each other's way, where there are no locks.
//
// A backup counts on objects that it has seen, a pruning removes those that no backup names: they
// must not meet. Each puts an object running/<what>-<time>-<number> first and looks for the other's
// afterwards, so of two at least one sees the other, and steps back. Backups bear each other.
//
// Who dies leaves his object: it counts for kFresh. Clocks of machines that share a place may
// differ by the rest of that.
//
// Invariants
//   Y1  no object is removed that a backup under way counts on.
//       [PruneTest.ABackupAndAPruningNeverMeet]
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "objects/object_store.h"
#include "sys/clock.h"

namespace tarn::backup {

class Turn {
  public:
    enum class Kind { backup, pruning };
    static constexpr Span kFresh = std::chrono::minutes{30};

    Turn(objects::ObjectStore& store, sys::Clock& clock, Kind kind)
        : store_(store), clock_(clock), kind_(kind) {}
    Turn(const Turn&) = delete;
    ~Turn() { end(); }

    // unavailable if one of the other kind, or a second pruning, is under way.
    Result<void> begin();
    // Often, while it goes on. unavailable if the last time was too long ago: others may have taken
    // this one for dead.
    Result<void> keep();
    void end();

  private:
    Result<void> put();

    objects::ObjectStore& store_;
    sys::Clock& clock_;
    Kind kind_;
    Time put_at_;
    std::string name_;  // "": not begun
};

}  // namespace tarn::backup
