// shared_memory.h: the shared memory that a killed PostgreSQL leaves behind.
//
// A PostgreSQL that ends by itself removes it, and one that starts removes what an earlier one of
// the same data directory has left. A compute that is killed may never start again in that
// directory, so that its System V segment and its /dev/shm/PostgreSQL.* would stay until the next
// boot; a machine has room for 4,096 of the first and half its memory of the second.
#pragma once

#include <string>

namespace tarn::compute {

// Removes the segments that the postmaster.pid of the data directory names. Only while it is
// certain that no process of that compute lives (fence.h). Nobody else's are touched: the segment
// must name this very directory, belong to the directory's owner and be attached by nobody.
void remove_shared_memory(const std::string& pgdata);

}  // namespace tarn::compute
