// real.h: the kernel's own file calls. libc's names are the shim's here, so these bypass them; they
// set errno as libc does.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>

namespace tarn::shim::real {

inline int open(const char* path, int flags, mode_t mode) {
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
inline int close(int fd) {
    return static_cast<int>(::syscall(SYS_close, fd));
}
inline ssize_t read(int fd, void* data, size_t size) {
    return ::syscall(SYS_read, fd, data, size);
}
inline ssize_t write(int fd, const void* data, size_t size) {
    return ::syscall(SYS_write, fd, data, size);
}
inline ssize_t pread(int fd, void* data, size_t size, off_t offset) {
    return ::syscall(SYS_pread64, fd, data, size, offset);
}
inline ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    return ::syscall(SYS_pwrite64, fd, data, size, offset);
}
inline ssize_t preadv(int fd, const iovec* parts, int count, off_t offset) {
    return ::syscall(SYS_preadv, fd, parts, count, offset, 0);
}
inline ssize_t pwritev(int fd, const iovec* parts, int count, off_t offset) {
    return ::syscall(SYS_pwritev, fd, parts, count, offset, 0);
}
inline off_t lseek(int fd, off_t offset, int whence) {
    return ::syscall(SYS_lseek, fd, offset, whence);
}
inline int ftruncate(int fd, off_t size) {
    return static_cast<int>(::syscall(SYS_ftruncate, fd, size));
}
inline int truncate(const char* path, off_t size) {
    return static_cast<int>(::syscall(SYS_truncate, path, size));
}
inline int fallocate(int fd, int mode, off_t offset, off_t size) {
    return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, size));
}
inline int fadvise(int fd, off_t offset, off_t size, int advice) {
    return static_cast<int>(::syscall(SYS_fadvise64, fd, offset, size, advice));
}
inline int sync_file_range(int fd, off_t offset, off_t size, unsigned flags) {
    return static_cast<int>(::syscall(SYS_sync_file_range, fd, offset, size, flags));
}
inline int fsync(int fd) {
    return static_cast<int>(::syscall(SYS_fsync, fd));
}
inline int fdatasync(int fd) {
    return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
inline int syncfs(int fd) {
    return static_cast<int>(::syscall(SYS_syncfs, fd));
}
inline int unlink(const char* path) {
    return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
inline int link(const char* from, const char* to) {
    return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
inline int rename(const char* from, const char* to) {
    return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
inline int symlink(const char* target, const char* path) {
    return static_cast<int>(::syscall(SYS_symlinkat, target, AT_FDCWD, path));
}
inline int dup(int fd) {
    return static_cast<int>(::syscall(SYS_dup, fd));
}
inline void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
    return reinterpret_cast<void*>(
        ::syscall(SYS_mmap, address, size, protection, flags, fd, offset));
}
inline ssize_t copy_file_range(int from, off_t* from_offset, int to, off_t* to_offset, size_t size,
                               unsigned flags) {
    return ::syscall(SYS_copy_file_range, from, from_offset, to, to_offset, size, flags);
}

}  // namespace tarn::shim::real
