// wal_ahead.h: WAL segments that are there before PostgreSQL needs them.
//
// PostgreSQL goes on to the next segment in the middle of somebody's commit or load. If there is
// none it writes 16 MiB of zeros, syncs them and gives them a name, while everybody who commits
// waits; with wal_recycle=off there never is one. A segment that is there it opens and writes.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sys/disk.h"
#include "wal/wal_files.h"

namespace tarn::wal {

// Makes those of the `count` segments from `first` on that are not there yet. They and their names
// are durable when this answers; PostgreSQL may be using the directory meanwhile.
Result<void> make_ahead(sys::Disk& disk, const std::string& directory, SegmentId first,
                        uint32_t count);

// Takes back segments from `first` on, into which nobody has written.
Result<void> remove_ahead(sys::Disk& disk, const std::string& directory, SegmentId first);

}  // namespace tarn::wal
