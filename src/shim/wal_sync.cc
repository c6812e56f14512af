#include "shim/wal_sync.h"

#include <fcntl.h>

#include <cerrno>

#include "shim/protocol.h"
#include "shim/real.h"
#include "shim/state.h"
#include "shim/wal_tracker.h"

namespace tarn::shim {

namespace {

int fail_wal_sync(int failure) {
    map().poison();
    report("cannot sync WAL; the compute must restart from its last restore point:", "pg_wal",
           failure);
    ring();
    return -failure;
}

}  // namespace

int sync_wal(int fd, const Handle* handle, bool data_only) {
    if (int result = log().check_live(); result < 0) return result;
    if ((data_only ? real::fdatasync(fd) : real::fsync(fd)) < 0) return fail_wal_sync(errno);
    return data_only ? track_wal(fd, handle->tli, handle->base) : 0;
}

int sync_wal_name(uint64_t segment) {
    if (segment <= wal_segments(map()).named.load(std::memory_order_acquire)) return 0;
    int directory = real::open("pg_wal", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (directory < 0) return -errno;
    int failure = real::fsync(directory) < 0 ? errno : 0;
    real::close(directory);
    if (failure) return fail_wal_sync(failure);
    raise_named(wal_segments(map()), segment);
    return 0;
}

}  // namespace tarn::shim
