// data_calls.cc: calls that move bytes of an open descriptor, or change its length.

#include <cerrno>

#include "shim/control_file.h"
#include "shim/export.h"
#include "shim/new_wal.h"
#include "shim/page_file.h"
#include "shim/real.h"
#include "shim/state.h"
#include "shim/wal_tracker.h"

namespace tarn::shim {
namespace {

bool ours(const Handle* handle) {
    return handle->kind == HandleKind::pages || handle->kind == HandleKind::control;
}

int64_t read_at(Handle* handle, const iovec* parts, int count, int64_t offset) {
    if (handle->kind == HandleKind::control)
        return count == 1 ? read_control(handle, parts->iov_base, parts->iov_len, offset) : -EINVAL;
    int64_t result = read_pages(handle->file, parts, count, offset);
    if (result == -EIO) report("cannot read a page:", "see PostgreSQL's own message", EIO);
    return result;
}

int64_t write_at(Handle* handle, int fd, const iovec* parts, int count, int64_t offset) {
    if (handle->kind == HandleKind::control)
        return count == 1 ? write_control(handle, parts->iov_base, parts->iov_len, offset)
                          : -EINVAL;
    return write_pages(handle->file, fd, parts, count, offset);
}

ssize_t read_here(int fd, void* data, size_t size) {
    Handle* handle = handle_of(fd);
    if (!ours(handle)) return real::read(fd, data, size);
    iovec part{data, size};
    int64_t done = read_at(handle, &part, 1, handle->position);
    if (done > 0) handle->position += done;
    return answer(done, &errno);
}

// write() to a descriptor whose position the kernel keeps.
ssize_t append_new_wal(int fd, const iovec& part) {
    off_t offset = real::lseek(fd, 0, SEEK_CUR);
    int64_t done = offset < 0 ? -errno : write_new_wal(fd, &part, 1, offset);
    if (done > 0) real::lseek(fd, offset + done, SEEK_SET);
    return answer(done, &errno);
}

ssize_t write_here(int fd, const void* data, size_t size) {
    Handle* handle = handle_of(fd);
    iovec part{const_cast<void*>(data), size};
    if (handle->kind == HandleKind::new_wal) return append_new_wal(fd, part);
    if (!ours(handle)) return real::write(fd, data, size);
    int64_t done = write_at(handle, fd, &part, 1, handle->position);
    if (done > 0) handle->position += done;
    return answer(done, &errno);
}

ssize_t pread_any(int fd, void* data, size_t size, off_t offset) {
    Handle* handle = handle_of(fd);
    if (!ours(handle)) return real::pread(fd, data, size, offset);
    iovec part{data, size};
    return answer(read_at(handle, &part, 1, offset), &errno);
}

ssize_t pwrite_any(int fd, const void* data, size_t size, off_t offset) {
    Handle* handle = handle_of(fd);
    if (!ours(handle)) {
        ssize_t done = real::pwrite(fd, data, size, offset);
        if (handle->kind == HandleKind::wal && done > 0)
            wrote_wal(handle->base + static_cast<uint64_t>(offset + done));
        return done;
    }
    iovec part{const_cast<void*>(data), size};
    return answer(write_at(handle, fd, &part, 1, offset), &errno);
}

ssize_t preadv_any(int fd, const iovec* parts, int count, off_t offset) {
    Handle* handle = handle_of(fd);
    if (!ours(handle)) return real::preadv(fd, parts, count, offset);
    return answer(read_at(handle, parts, count, offset), &errno);
}

ssize_t pwritev_any(int fd, const iovec* parts, int count, off_t offset) {
    Handle* handle = handle_of(fd);
    if (handle->kind == HandleKind::new_wal)
        return answer(write_new_wal(fd, parts, count, offset), &errno);
    if (!ours(handle)) return real::pwritev(fd, parts, count, offset);
    return answer(write_at(handle, fd, parts, count, offset), &errno);
}

off_t seek_any(int fd, off_t offset, int whence) {
    Handle* handle = handle_of(fd);
    if (!ours(handle)) return real::lseek(fd, offset, whence);
    int64_t end =
        handle->kind == HandleKind::pages ? size_of(handle->file) : int64_t{store::kControlBytes};
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? handle->position : end;
    if ((whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END) || base + offset < 0)
        return answer<off_t>(-EINVAL, &errno);
    handle->position = base + offset;
    return handle->position;
}

int resize_any(int fd, off_t size) {
    Handle* handle = handle_of(fd);
    if (handle->kind == HandleKind::control) return answer(-EINVAL, &errno);
    if (handle->kind != HandleKind::pages) return real::ftruncate(fd, size);
    return answer(resize_pages(handle->file, fd, size), &errno);
}

// Answers 0 or -errno.
int reserve_any(int fd, int mode, off_t offset, off_t size) {
    Handle* handle = handle_of(fd);
    if (handle->kind == HandleKind::control) return -EINVAL;
    if (handle->kind != HandleKind::pages)
        return real::fallocate(fd, mode, offset, size) < 0 ? -errno : 0;
    if (mode != 0) return -EOPNOTSUPP;
    if (offset < 0 || size <= 0) return -EINVAL;
    return extend_pages(handle->file, fd, offset + size);
}

// posix_fallocate answers the error instead of setting errno.
int posix_reserve(int fd, off_t offset, off_t size) {
    int kept = errno;
    int result = reserve_any(fd, 0, offset, size);
    errno = kept;
    return -result;
}

}  // namespace
}  // namespace tarn::shim

using namespace tarn::shim;

TARN_EXPORT ssize_t read(int fd, void* data, size_t size) {
    return read_here(fd, data, size);
}
TARN_EXPORT ssize_t __read_chk(int fd, void* data, size_t size, size_t capacity) {
    if (size > capacity) __builtin_trap();
    return read_here(fd, data, size);
}
TARN_EXPORT ssize_t write(int fd, const void* data, size_t size) {
    return write_here(fd, data, size);
}

TARN_EXPORT ssize_t pread(int fd, void* data, size_t size, off_t offset) {
    return pread_any(fd, data, size, offset);
}
TARN_EXPORT ssize_t pread64(int fd, void* data, size_t size, off_t offset) {
    return pread_any(fd, data, size, offset);
}
TARN_EXPORT ssize_t __pread_chk(int fd, void* data, size_t size, off_t offset, size_t capacity) {
    if (size > capacity) __builtin_trap();
    return pread_any(fd, data, size, offset);
}
TARN_EXPORT ssize_t __pread64_chk(int fd, void* data, size_t size, off_t offset, size_t capacity) {
    if (size > capacity) __builtin_trap();
    return pread_any(fd, data, size, offset);
}
TARN_EXPORT ssize_t preadv(int fd, const iovec* parts, int count, off_t offset) {
    return preadv_any(fd, parts, count, offset);
}
TARN_EXPORT ssize_t preadv64(int fd, const iovec* parts, int count, off_t offset) {
    return preadv_any(fd, parts, count, offset);
}

TARN_EXPORT ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    return pwrite_any(fd, data, size, offset);
}
TARN_EXPORT ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset) {
    return pwrite_any(fd, data, size, offset);
}
TARN_EXPORT ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
    return pwritev_any(fd, parts, count, offset);
}
TARN_EXPORT ssize_t pwritev64(int fd, const iovec* parts, int count, off_t offset) {
    return pwritev_any(fd, parts, count, offset);
}

TARN_EXPORT off_t lseek(int fd, off_t offset, int whence) {
    return seek_any(fd, offset, whence);
}
TARN_EXPORT off_t lseek64(int fd, off_t offset, int whence) {
    return seek_any(fd, offset, whence);
}

TARN_EXPORT int ftruncate(int fd, off_t size) {
    return resize_any(fd, size);
}
TARN_EXPORT int ftruncate64(int fd, off_t size) {
    return resize_any(fd, size);
}

TARN_EXPORT int posix_fallocate(int fd, off_t offset, off_t size) {
    return posix_reserve(fd, offset, size);
}
TARN_EXPORT int posix_fallocate64(int fd, off_t offset, off_t size) {
    return posix_reserve(fd, offset, size);
}
TARN_EXPORT int fallocate(int fd, int mode, off_t offset, off_t size) {
    return answer(reserve_any(fd, mode, offset, size), &errno);
}
TARN_EXPORT int fallocate64(int fd, int mode, off_t offset, off_t size) {
    return answer(reserve_any(fd, mode, offset, size), &errno);
}

// Page contents are not in the stub, so it cannot be mapped or copied inside the kernel.
TARN_EXPORT void* mmap(void* address, size_t size, int protection, int flags, int fd,
                       off_t offset) {
    if (fd >= 0 && ours(handle_of(fd))) {
        errno = ENODEV;
        return MAP_FAILED;
    }
    return real::mmap(address, size, protection, flags, fd, offset);
}
TARN_EXPORT void* mmap64(void* address, size_t size, int protection, int flags, int fd,
                         off_t offset) {
    return mmap(address, size, protection, flags, fd, offset);
}
TARN_EXPORT ssize_t copy_file_range(int from, off_t* from_offset, int to, off_t* to_offset,
                                    size_t size, unsigned flags) {
    if (ours(handle_of(from)) || ours(handle_of(to))) return answer<ssize_t>(-EXDEV, &errno);
    return real::copy_file_range(from, from_offset, to, to_offset, size, flags);
}
