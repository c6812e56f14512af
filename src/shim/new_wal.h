// new_wal.h: WAL segments that recovery makes take no disk space for their zeros.
//
// At its end, recovery begins a timeline with a copy of the last segment, and makes the next
// one too when that is three quarters full. PostgreSQL fills both to their ends and syncs them
// before it answers anybody: up to 32 MiB of disk, and some 0.15 s a segment, for every branch,
// whatever it will write. The next one it fills with zeros; the copy (XLogFileCopy in xlog.c)
// with the last page that it copied, over and over, because its buffer is cleared only where a
// part was read. Both are left out here: the file reads as zeros there, where every reader ends
// in either case. Segments that are made later are filled as always, which makes the syncs of
// commits cheaper. Room for more is kept behind the last page that is there.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>

namespace tarn::shim {

// A write to such a file. The bytes taken, or -errno.
int64_t write_new_wal(int fd, const iovec* parts, int count, off_t offset);

// PostgreSQL gives a segment that it has made its name. If the supervisor has made that one
// meanwhile (compute/wal_supply.h), somebody may be writing to it already: it stays, and
// PostgreSQL's goes. 0 or -errno.
int install_wal(const char* made, const char* name);

}  // namespace tarn::shim
