// wal_compression.h: archived segments become compressed ones, in two steps that may lie far apart.
//
// Invariants
//   F1  a plain segment goes only when the name and the bytes of its compressed file are durable.
//       [WalPowerLoss.WhatWasCarriedOutlivesIt, EverySite.WithoutItSomeSeedLosesWal]
//   F2  where both are there the plain one is read. [WalCompression.ThePlainOneWins]
#pragma once

#include <functional>
#include <set>
#include <string>

#include "base/lsn.h"
#include "base/result.h"
#include "sys/disk.h"

namespace tarn::wal {

// Moves the segments of an incarnation that has ended from `wal` to `wal_archive`, if that is
// there: those that begin before `end`. Each has one of its two names at any time, also after a
// power cut. Nobody may write to them any more; whoever reads looks in both, in this order.
Result<void> archive_ended(sys::Disk& disk, const std::string& wal, const std::string& archive,
                           Lsn end);

// Plain segments that could not be read, by their paths: they stay as they are, and are named once.
using Unreadable = std::set<std::string>;

// Is there a plain segment without a compressed file?
Result<bool> has_uncompressed(sys::Disk& disk, const std::string& directory,
                              const Unreadable& unreadable);

struct CompressionRequest {
    Lsn below;                    // segments that end at or below it
    std::function<bool()> go_on;  // asked now and then; no: nothing is made
    Unreadable& unreadable;       // these are passed over, and more of them noted
};
// Compresses the oldest such segment of the directory that has no compressed file yet; the plain
// one stays. Answers its bytes; 0 if there is none, or it was told not to go on. Nobody may write
// to such a segment any more; that it goes meanwhile is fine.
Result<uint64_t> compress_next(sys::Disk& disk, const std::string& directory,
                               const CompressionRequest& request);

// Removes the directory's plain segments whose compressed file is there. Who reads them by name
// must not be at it.
Result<void> remove_compressed(sys::Disk& disk, const std::string& directory);

}  // namespace tarn::wal
