// wal_trim.h: removes segments that no kept restore point needs.
#pragma once

#include <string>

#include "base/lsn.h"
#include "base/result.h"
#include "sys/disk.h"

namespace tarn::wal {

// Removes the directory's segments, compressed or not, that end at or below `from`, or begin at or
// behind `to`.
Result<void> trim_wal(sys::Disk& disk, const std::string& directory, Lsn from,
                      Lsn to = Lsn{~uint64_t{0}});

}  // namespace tarn::wal
