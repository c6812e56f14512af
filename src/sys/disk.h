// disk.h: the only door to files. Everything that must survive a crash goes through a Disk, so that
// the simulated one (sim_disk.h) can drop, tear and fail what the real one would only lose in a
// power cut.
//
// Calls answer >= 0 or -errno, never set errno, never allocate: the shim uses them inside
// PostgreSQL. Threads: every call may be made from any thread or process.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

namespace tarn::sys {

enum class SyncSite : uint8_t {
#define TARN_SYNC_SITE(owner, name, what) name,
#include "sys/sync_sites.def"
#undef TARN_SYNC_SITE
    count_
};
const char* sync_site_name(SyncSite site);
// The folder that calls it, and whose power-loss simulation answers for it.
enum class SyncOwner : uint8_t { store, wal, objects };
SyncOwner sync_site_owner(SyncSite site);

class Disk {
  public:
    virtual int open(const char* path, int flags, mode_t mode) = 0;
    virtual int close(int fd) = 0;
    virtual int64_t pread(int fd, void* data, size_t size, int64_t offset) = 0;
    virtual int64_t preadv(int fd, const iovec* parts, int count, int64_t offset) = 0;
    // preadv() of bytes in the page cache; -EAGAIN if they are not, -EOPNOTSUPP if that cannot be
    // told.
    virtual int64_t preadv_cached(int fd, const iovec* parts, int count, int64_t offset) = 0;
    virtual int64_t pwrite(int fd, const void* data, size_t size, int64_t offset) = 0;
    virtual int64_t pwritev(int fd, const iovec* parts, int count, int64_t offset) = 0;
    // Makes the file's bytes and length durable.
    virtual int sync(int fd, SyncSite site) = 0;
    // Reserves space and grows the file; -EOPNOTSUPP where the file system cannot.
    virtual int allocate(int fd, int64_t offset, int64_t size) = 0;
    // Gives the bytes' space back: they read as zeros then. -EOPNOTSUPP where the file system
    // cannot.
    virtual int punch(int fd, int64_t offset, int64_t size) = 0;
    virtual int truncate(int fd, int64_t size) = 0;
    virtual int64_t size(int fd) = 0;
    // The file's bytes in memory, for immutable files; null when that fails. Never unmapped.
    virtual const void* map(int fd, size_t size) = 0;
    // Tells the page cache that these bytes will be read soon.
    virtual void will_need(int fd, int64_t offset, int64_t size) = 0;
    // Starts writing these bytes out, so that a later sync finds less to do. Makes nothing durable.
    virtual void write_back(int fd, int64_t offset, int64_t size) = 0;

    virtual int rename(const char* from, const char* to) = 0;
    virtual int link(const char* from, const char* to) = 0;
    virtual int unlink(const char* path) = 0;
    virtual int make_directory(const char* path, mode_t mode) = 0;
    virtual int remove_directory(const char* path) = 0;
    // Makes the names in the directory durable.
    virtual int sync_directory(const char* path, SyncSite site) = 0;
    // Calls visit(context, name) for each entry but "." and ".."; 0 or -errno.
    virtual int list(const char* path, void (*visit)(void* context, const char* name),
                     void* context) = 0;

  protected:
    ~Disk() = default;  // never deleted through this class; keeps the C++ runtime out of the shim
};

// The machine's own. Uses raw system calls: inside the shim, libc's names are the shim's own.
Disk& real_disk();

}  // namespace tarn::sys
