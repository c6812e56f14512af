// turn.h: backups, prunings and readers of one place keep out of each other's way, where there are
// no locks.
//
// A backup counts on objects that it has seen, a reader on those that its backup names, and a
// pruning removes objects: it must not meet them. Each puts an object
// running/<what>-<time>-<number> first and looks for the others afterwards, so of two at least one
// sees the other, and steps back. All but prunings bear each other.
//
// Who dies leaves his object: it counts for kFresh. Who was held up that long, or whose clock is
// that far behind, may be taken for dead. So a pruning leaves a trace that no clock decides about
// (running/pruned-...), and a backup looks for new ones at its end: met_pruning().
//
// A pruning that is held up in the removal of one object, for so long that it looks dead, removes
// that one when it goes on. So a backup that finds the object of a pruning that has not ended looks
// at its end whether all is there. What is left: a removal that was asked for half an hour before a
// backup began, and is carried out after it has ended, takes an object from it. No place that is
// known does so; the next backup sends such an object again.
//
// Invariants
//   Y1  a backup that says that it is done has all its objects, whatever was pruned meanwhile.
//       [PruneTest.ABackupAndAPruningNeverMeet, PruneTest.ABackupThatWasTakenForDeadNoticesIt,
//       PruneTest.APruningThatLooksDeadIsNotTrusted]
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "objects/object_store.h"
#include "sys/clock.h"

namespace tarn::backup {

class Turn {
  public:
    enum class Kind { backup, pruning, reader };
    static constexpr Span kFresh = std::chrono::minutes{30};
    // What is older was left by somebody who died, whatever clocks say.
    static constexpr Span kDeadForSure = std::chrono::hours{24};

    Turn(objects::ObjectStore& store, sys::Clock& clock, Kind kind)
        : store_(store), clock_(clock), kind_(kind) {}
    Turn(const Turn&) = delete;
    ~Turn() { end(); }

    // unavailable if somebody who must not be met is at it for as long as `patience`. Meanwhile
    // others that begin step back.
    Result<void> begin(Span patience = Span{0});
    // Often, while it goes on. unavailable if the last time was too long ago: others may have taken
    // this one for dead.
    Result<void> keep();
    // May objects have been removed since begin(), or be removed still?
    Result<bool> met_pruning();
    void end();

  private:
    struct Others {
        std::optional<std::string> in_the_way;
        bool is_pruning = false;
        std::set<std::string> traces;  // of prunings
    };
    Result<Others> look();
    Result<void> put();
    Result<void> leave_trace();
    bool was_held_up() const;

    objects::ObjectStore& store_;
    sys::Clock& clock_;
    Kind kind_;
    Time put_at_;
    std::string name_;  // "": not begun
    std::set<std::string> traces_;
};

}  // namespace tarn::backup
