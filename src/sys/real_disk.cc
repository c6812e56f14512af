#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sys/disk.h"

namespace tarn::sys {

const char* sync_site_name(SyncSite site) {
    static constexpr const char* names[] = {
#define TARN_SYNC_SITE(owner, name, what) #name,
#include "sys/sync_sites.def"
#undef TARN_SYNC_SITE
        "none"};
    return names[static_cast<size_t>(site)];
}

SyncOwner sync_site_owner(SyncSite site) {
    static constexpr SyncOwner owners[] = {
#define TARN_SYNC_SITE(owner, name, what) SyncOwner::owner,
#include "sys/sync_sites.def"
#undef TARN_SYNC_SITE
    };
    return owners[static_cast<size_t>(site)];
}

namespace {

// A raw call that keeps PostgreSQL's errno as it was and answers -errno.
template <class... Args>
int64_t call(long number, Args... args) {
    int kept = errno;
    int64_t result;
    do {
        result = ::syscall(number, args...);
    } while (result < 0 && errno == EINTR);
    if (result < 0) result = -errno;
    errno = kept;
    return result;
}

class RealDisk final : public Disk {
  public:
    int open(const char* path, int flags, mode_t mode) override {
        return static_cast<int>(call(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode));
    }
    int close(int fd) override { return static_cast<int>(call(SYS_close, fd)); }
    int64_t pread(int fd, void* data, size_t size, int64_t offset) override {
        return call(SYS_pread64, fd, data, size, offset);
    }
    // The offset is split in two registers by the kernel's ABI; the high one is 0 on 64-bit
    // machines.
    int64_t preadv(int fd, const iovec* parts, int count, int64_t offset) override {
        return call(SYS_preadv, fd, parts, count, offset, 0);
    }
    int64_t preadv_cached(int fd, const iovec* parts, int count, int64_t offset) override {
        return call(SYS_preadv2, fd, parts, count, offset, 0, RWF_NOWAIT);
    }
    int64_t pwrite(int fd, const void* data, size_t size, int64_t offset) override {
        return call(SYS_pwrite64, fd, data, size, offset);
    }
    int64_t pwritev(int fd, const iovec* parts, int count, int64_t offset) override {
        return call(SYS_pwritev, fd, parts, count, offset, 0);
    }
    int sync(int fd, SyncSite) override { return static_cast<int>(call(SYS_fdatasync, fd)); }
    int allocate(int fd, int64_t offset, int64_t size) override {
        return static_cast<int>(call(SYS_fallocate, fd, 0, offset, size));
    }
    int punch(int fd, int64_t offset, int64_t size) override {
        return static_cast<int>(
            call(SYS_fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size));
    }
    int truncate(int fd, int64_t size) override {
        return static_cast<int>(call(SYS_ftruncate, fd, size));
    }
    int64_t size(int fd) override { return call(SYS_lseek, fd, 0, SEEK_END); }
    const void* map(int fd, size_t size) override {
        int64_t address = call(SYS_mmap, nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
        return address < 0 && address > -4096 ? nullptr : reinterpret_cast<const void*>(address);
    }
    void will_need(int fd, int64_t offset, int64_t size) override {
        call(SYS_fadvise64, fd, offset, size, POSIX_FADV_WILLNEED);
    }
    void write_back(int fd, int64_t offset, int64_t size) override {
        call(SYS_sync_file_range, fd, offset, size, SYNC_FILE_RANGE_WRITE);
    }

    int rename(const char* from, const char* to) override {
        return static_cast<int>(call(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
    }
    int link(const char* from, const char* to) override {
        return static_cast<int>(call(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
    }
    int unlink(const char* path) override {
        return static_cast<int>(call(SYS_unlinkat, AT_FDCWD, path, 0));
    }
    int make_directory(const char* path, mode_t mode) override {
        return static_cast<int>(call(SYS_mkdirat, AT_FDCWD, path, mode));
    }
    int remove_directory(const char* path) override {
        return static_cast<int>(call(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
    }
    int sync_directory(const char* path, SyncSite) override {
        int fd = open(path, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0) return fd;
        int result = static_cast<int>(call(SYS_fsync, fd));
        close(fd);
        return result;
    }
    int list(const char* path, void (*visit)(void*, const char*), void* context) override {
        DIR* directory = ::opendir(path);
        if (!directory) return -errno;
        // The end and a failure look alike but for errno: half a listing must not pass for all.
        errno = 0;
        while (const dirent* entry = ::readdir(directory)) {
            if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
                visit(context, entry->d_name);
            errno = 0;
        }
        int failure = errno;
        ::closedir(directory);
        return -failure;
    }
};

}  // namespace

Disk& real_disk() {
    static constinit RealDisk disk;
    return disk;
}

}  // namespace tarn::sys
