// wal_carry.h: gives an incarnation the WAL that its start replays.
//
// Invariants
//   W1  no file that PostgreSQL can write shares an inode with another incarnation: linked are only
//       segments of timelines that the new incarnation never writes, within one lineage.
//       [CrashedWal.OnlyWholeDurableSegmentsAreLinked,
//       CrashedWal.CutCopyEndsAtTheMomentWithZerosBehindIt]
//   W2  behind a cut there are zeros to the end of the segment, and no later segment.
//       [CrashedWal.CutCopyEndsAtTheMomentWithZerosBehindIt]
//   W3  when carry() answers, data and names are durable. [WalPowerLoss.WhatWasCarriedOutlivesIt,
//       EverySite.WithoutItSomeSeedLosesWal]
#pragma once

#include "base/lsn.h"
#include "base/result.h"
#include "sys/disk.h"
#include "wal/wal_files.h"

namespace tarn::wal {

struct CarryPlan {
    Lsn from;          // redo: where replay begins
    uint32_t tli = 0;  // of `from`
    Lsn end;           // the end of the last record that counts
    // Behind `end` everything is zeros (a planned moment). Otherwise all there is comes along and
    // PostgreSQL finds the end by itself (after a crash).
    bool cut = true;
    // Segments that lie wholly below are linked, the rest is copied: what was not durable when the
    // old incarnation ended is written anew, so that a sync means what it says. 0: all are copied.
    Lsn link_below = {};
    uint64_t system_identifier = 0;  // written into the copies; 0: as it is
};

// Fills the empty directory `target`.
Result<void> carry(sys::Disk& disk, const WalFiles& files, const std::string& target,
                   const CarryPlan& plan);

}  // namespace tarn::wal
