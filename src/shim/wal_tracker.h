// wal_tracker.h: how far the durable WAL is whole.
//
// After each sync of WAL, the records that are now on disk are walked and their checksums checked
// (where much was synced at once, of the last ones); the end of the last whole one becomes
// MapHeader::flushed_position. It is never below what PostgreSQL has acknowledged, and a start that
// finds WAL ending before it knows that something was lost.
#pragma once

#include <cstdint>

namespace tarn::shim {

// WAL has been written up to the LSN `end`.
void wrote_wal(uint64_t end);

// `fd` is the segment just synced, of timeline `tli`, whose first byte is LSN `base`. 0 or -errno.
int track_wal(int fd, uint32_t tli, uint64_t base);

}  // namespace tarn::shim
