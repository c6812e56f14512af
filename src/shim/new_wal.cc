#include "shim/new_wal.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/bytes.h"
#include "pg/wal_format.h"
#include "pg/wal_name.h"
#include "shim/real.h"

namespace tarn::shim {

namespace {

// A page that says another address than its place in the segment: readers stop there as they stop
// at zeros.
bool is_misplaced_page(const iovec& part, off_t offset) {
    if (part.iov_len != pg::kWalPageSize || offset % pg::kWalPageSize != 0) return false;
    auto address = load<uint64_t>(part.iov_base, pg::wal_page_offset::address);
    return address % pg::kDefaultWalSegmentSize != static_cast<uint64_t>(offset);
}

// Behind the last page that is there, this much at least is allocated (or the segment's rest): what
// PostgreSQL still writes when the disk is full, such as the ends of transactions that failed for
// it, must not meet the full disk at once.
constexpr off_t kMargin = 1 << 20;

bool follows_a_page(int fd, off_t offset) {
    uint16_t magic = 0;
    return offset >= pg::kWalPageSize &&
           real::pread(fd, &magic, sizeof magic, offset - pg::kWalPageSize) == sizeof magic &&
           magic != 0;
}

// Twice the margin where pages begin and at every multiple of it, so that not each asks for it.
int keep_room(int fd, off_t offset) {
    if (offset % kMargin != 0 && follows_a_page(fd, offset)) return 0;
    off_t left = off_t{pg::kDefaultWalSegmentSize} - offset;
    return real::fallocate(fd, FALLOC_FL_KEEP_SIZE, offset,
                           left < 2 * kMargin ? left : 2 * kMargin);
}

bool ends_before(int fd, off_t offset) {
    struct stat status;
    return ::fstat(fd, &status) == 0 && status.st_size <= offset;
}

}  // namespace

int64_t write_new_wal(int fd, const iovec* parts, int count, off_t offset) {
    size_t size = 0;
    bool empty = true;
    for (int i = 0; i < count && empty; ++i) {
        empty = is_zeros(parts[i].iov_base, parts[i].iov_len) ||
                is_misplaced_page(parts[i], offset + static_cast<off_t>(size));
        size += parts[i].iov_len;
    }
    int64_t done;
    if (!empty && keep_room(fd, offset) < 0) return -errno;
    if (empty && ends_before(fd, offset))
        done = real::ftruncate(fd, offset + static_cast<off_t>(size)) < 0
                   ? -1
                   : static_cast<int64_t>(size);
    else
        done = real::pwritev(fd, parts, count, offset);
    return done < 0 ? -errno : done;
}

int install_wal(const char* made, const char* name) {
    if (real::link(made, name) < 0 && errno != EEXIST) return -errno;
    return real::unlink(made) < 0 ? -errno : 0;
}

}  // namespace tarn::shim
