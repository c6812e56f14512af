// wal_ahead.h: WAL segments that are there before PostgreSQL needs them.
//
// PostgreSQL goes on to the next segment in the middle of somebody's commit or load. If there is
// none it writes 16 MiB of zeros, syncs them and gives them a name, while everybody who commits
// waits; with wal_recycle=off there never is one. A segment that is there it opens and writes.
//
// Invariants
//   A1  a segment that somebody else has made stays as it is.
//       [WalAhead.ASegmentThatIsThereStays, WalAhead.ASegmentThatAppearsMeanwhileStays]
//   A2  only segments that hold nothing are taken back. [WalAhead.OnlyEmptyOnesAreTakenBack]
//   A3  when sync_names() has answered, a power loss leaves the names.
//       [WalPowerLoss.WhatWasCarriedOutlivesIt, EverySite.WithoutItSomeSeedLosesWal]
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sys/disk.h"
#include "wal/wal_files.h"

namespace tarn::wal {

// Makes those of the `count` segments from `first` on that are not there yet, of zeros that are on
// their way to the disk: later syncs find their place settled. PostgreSQL may be using the
// directory meanwhile. A failure leaves what was made before it.
Result<void> make_ahead(sys::Disk& disk, const std::string& directory, SegmentId first,
                        uint32_t count);

// Makes the names in the directory durable. After a failure nothing counts that PostgreSQL writes
// into a segment made ahead.
Result<void> sync_names(sys::Disk& disk, const std::string& directory);

// Is the segment's first page zeros? Then nobody has begun it.
Result<bool> holds_nothing(sys::Disk& disk, const std::string& path);

// Takes back segments of `first`'s timeline from `first` on that hold nothing.
Result<void> remove_ahead(sys::Disk& disk, const std::string& directory, SegmentId first);

}  // namespace tarn::wal
