// wal_sync.h: makes WAL durable, its bytes and its names. A failure ends the incarnation: without
// full-page images PostgreSQL's own recovery could not mend what the kernel has dropped.
#pragma once

#include <cstdint>

#include "shim/handles.h"

namespace tarn::shim {

// The sync itself, then how far the durable log is whole. 0 or -errno.
//
// Written WAL is synced by fdatasync (wal_sync_method), by one process at a time. An fsync comes
// from durable_rename, after a segment was made and named, by any process and beside others'
// commits: it says nothing about written WAL, and the walk must not be touched.
int sync_wal(int fd, const Handle* handle, bool data_only);

// Before a segment is written: its name is durable. PostgreSQL sees to that for segments that it
// makes; those made ahead by the supervisor can be seen a moment too early. 0 or -errno.
int sync_wal_name(uint64_t segment);

}  // namespace tarn::shim
