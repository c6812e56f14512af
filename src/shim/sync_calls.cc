// sync_calls.cc: calls that make bytes durable or give hints about them.

#include <cerrno>

#include "shim/export.h"
#include "shim/handles.h"
#include "shim/real.h"
#include "shim/state.h"
#include "shim/wal_sync.h"

namespace tarn::shim {
namespace {

constexpr int64_t kBlock = store::kBlockBytes;

int sync_any(int fd, bool data_only) {
    Handle* handle = handle_of(fd);
    switch (handle->kind) {
        case HandleKind::native:
        case HandleKind::new_wal:
            return data_only ? real::fdatasync(fd) : real::fsync(fd);
        case HandleKind::scratch:
        case HandleKind::control:  // its seal has synced what counts
            return 0;
        case HandleKind::wal:
            return answer(sync_wal(fd, handle, data_only), &errno);
        case HandleKind::pages: {
            int result = log().sync_file(handle->file);
            if (result < 0) {
                report(
                    "cannot sync the page log; the compute must restart from its last restore "
                    "point:",
                    "log", -result);
                ring();
            }
            return answer(result, &errno);
        }
    }
    __builtin_unreachable();
}

// Answers 0 or an error number, as posix_fadvise does.
int advise_any(int fd, off_t offset, off_t size, int advice) {
    Handle* handle = handle_of(fd);
    if (handle->kind == HandleKind::control) return 0;
    if (handle->kind != HandleKind::pages) {
        int kept = errno;
        int result = real::fadvise(fd, offset, size, advice) < 0 ? errno : 0;
        errno = kept;
        return result;
    }
    if (advice == POSIX_FADV_WILLNEED && offset >= 0 && size > 0) {
        auto first = static_cast<uint32_t>(offset / kBlock);
        auto count = static_cast<uint32_t>((size + kBlock - 1) / kBlock);
        log().prefetch(handle->file, first, count);
    }
    return 0;
}

}  // namespace
}  // namespace tarn::shim

using namespace tarn::shim;

TARN_EXPORT int fsync(int fd) {
    return sync_any(fd, false);
}
TARN_EXPORT int fdatasync(int fd) {
    return sync_any(fd, true);
}

// Only recovery asks for it, about PGDATA, which is remade from the store and needs no sync.
TARN_EXPORT int syncfs(int fd) {
    return active() ? 0 : real::syncfs(fd);
}

TARN_EXPORT int sync_file_range(int fd, off_t offset, off_t size, unsigned flags) {
    Handle* handle = handle_of(fd);
    if (handle->kind == HandleKind::pages && offset >= 0 && size > 0)
        log().write_back(handle->file, static_cast<uint32_t>(offset / kBlock),
                         static_cast<uint32_t>((size + kBlock - 1) / kBlock));
    if (handle->kind == HandleKind::pages || handle->kind == HandleKind::control) return 0;
    return real::sync_file_range(fd, offset, size, flags);
}

TARN_EXPORT int posix_fadvise(int fd, off_t offset, off_t size, int advice) {
    return advise_any(fd, offset, size, advice);
}
TARN_EXPORT int posix_fadvise64(int fd, off_t offset, off_t size, int advice) {
    return advise_any(fd, offset, size, advice);
}
