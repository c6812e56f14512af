#include "shim/new_wal.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/bytes.h"
#include "shim/real.h"

namespace tarn::shim {

namespace {

bool ends_before(int fd, off_t offset) {
    struct stat status;
    return ::fstat(fd, &status) == 0 && status.st_size <= offset;
}

}  // namespace

int64_t write_new_wal(int fd, const iovec* parts, int count, off_t offset) {
    size_t size = 0;
    bool zeros = true;
    for (int i = 0; i < count && zeros; ++i) {
        zeros = is_zeros(parts[i].iov_base, parts[i].iov_len);
        size += parts[i].iov_len;
    }
    int64_t done;
    if (zeros && ends_before(fd, offset))
        done = real::ftruncate(fd, offset + static_cast<off_t>(size)) < 0
                   ? -1
                   : static_cast<int64_t>(size);
    else
        done = real::pwritev(fd, parts, count, offset);
    return done < 0 ? -errno : done;
}

}  // namespace tarn::shim
