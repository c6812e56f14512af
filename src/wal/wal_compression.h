// wal_compression.h: archived segments become compressed ones, in two steps that may lie far apart.
//
// Invariants
//   F1  a plain segment goes only when the name and the bytes of its compressed file are durable.
//       [WalPowerLoss.WhatWasCarriedOutlivesIt, EverySite.WithoutItSomeSeedLosesWal]
//   F2  where both are there the plain one is read. [WalCompression.ThePlainOneWins]
#pragma once

#include <string>

#include "base/lsn.h"
#include "base/result.h"
#include "sys/disk.h"

namespace tarn::wal {

// Is there a plain segment without a compressed file?
Result<bool> has_uncompressed(sys::Disk& disk, const std::string& directory);

// Compresses the oldest segment of the directory that ends at or below `below` and has no
// compressed file yet; the plain one stays. Answers its bytes; 0 if there is none. Nobody may write
// to such a segment any more; that it goes meanwhile is fine.
Result<uint64_t> compress_next(sys::Disk& disk, const std::string& directory, Lsn below);

// Removes the directory's plain segments whose compressed file is there. Who reads them by name
// must not be at it.
Result<void> remove_compressed(sys::Disk& disk, const std::string& directory);

}  // namespace tarn::wal
