// opening.h: decides what a lineage is opened from, and makes the incarnation ready for it
// (docs/internals/compute.md). The one path of wake, restart after a crash, and first start of a
// branch.
//
//   the newest incarnation ended cleanly, its map is alive -> go on with it: nothing to make
//   it was prepared (a new branch or root), never started  -> start it: map and stubs from its base
//   anything else (crash, reboot, lost map)                -> a new incarnation from the newest
//                                                             restore point and the WAL after it
//
// Invariants
//   O1  the caller holds the lineage's lock, so the WAL has its last end.
//       [FenceTest.WhoeverHoldsTheLockIsKilledAndOrphansToo,
//       LifecycleTest.ASupervisorKilledAloneIsReplacedAndFencesTheRest]
//   O2  WAL from redo to its end has been read and checked; it reaches the restore point's
//       consistent_lsn and everything the old incarnation knew to be durable, or nothing is opened.
//       [LifecycleTest.WalCutShortIsRefusedAndNotOpened]
//   O3  a shut-down control file is kept only if there is no WAL behind it and the lineage is its
//       own. [LifecycleTest.AStopBeforeARebootLeavesNothingToReplay,
//       LifecycleTest.NothingCommittedIsLostWhenTheWholeTreeIsKilled,
//       BranchTest.ABranchOfAStoppedOrNeverStartedParentIsTheSame]
//
// Crash: until finish_incarnation() the old incarnation stays the newest and is opened again.
// Fails with data_loss (O2); nothing is changed that a second try would miss.
#pragma once

#include <optional>

#include "base/lsn.h"
#include "base/result.h"
#include "compute/attachments.h"
#include "compute/spec.h"
#include "store/lineage.h"

namespace tarn::compute {

struct Opening {
    store::LogId log;
    store::RestorePoint point;           // what PGDATA is made of
    bool own_point = false;              // of this very incarnation
    bool continues = false;              // the map is alive; PGDATA too if its stubs are of `point`
    bool recovers = false;               // archive recovery up to `end`, then promotion
    Lsn end;                             // of the WAL
    uint32_t tli = 0;                    // at `end`
    uint32_t prepared_transactions = 0;  // max_prepared_transactions of the control file
};

// How far the WAL of an incarnation is known to have been durable: what its map says, not valid
// where there is none. The map is never synced, so after a power cut it may say less than there is.
// Fails when there is a map that cannot be read: nothing may be taken for all there was then.
Result<Lsn> known_durable(const store::Store& store, store::LogId log);

// A copy of an incarnation has no map that would tell: the file `wal_durable` beside its WAL says
// how far that must reach.
std::string durable_note_path(const store::Store& store, store::LogId log);
std::string durable_note(Lsn end);

Result<Opening> open_lineage(store::Store& store, const SuperviseSpec& spec);

// Writes positions, paths and control file into the incarnation's map.
Result<void> fill_map(const store::Store& store, const Opening& opening, const SuperviseSpec& spec);

// What an incarnation's directory says about how it ended.
struct CleanMarker {
    enum class Kind { prepared, stopped } kind = Kind::prepared;
    uint32_t restore_point = 0;  // stopped: the last one
};
std::string clean_marker_path(const store::Store& store, store::LogId log);
std::optional<CleanMarker> read_clean_marker(const store::Store& store, store::LogId log);
Result<void> write_clean_marker(const store::Store& store, store::LogId log,
                                const CleanMarker& marker);
// From here on the incarnation counts as running. A prepared one is no longer prepared, also after
// a power cut; the marker of a stopped one is void after one anyway, because it names the boot.
Result<void> remove_clean_marker(const store::Store& store, store::LogId log);

std::string incarnation_path(const store::Store& store, store::LogId log);

}  // namespace tarn::compute
