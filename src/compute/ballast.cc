#include "compute/ballast.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

constexpr uint64_t kLargestPart = 32;  // of a disk: it takes no more than this part

}  // namespace

Result<void> Ballast::fill(const DiskSpace& space) {
    bool has_room = space.state == DiskState::enough && space.free > 4 * kBytes &&
                    space.total >= kLargestPart * kBytes;
    sys::Disk& disk = sys::real_disk();
    if (!has_room || (there_ && TRY(sys::exists(disk, path_)))) return {};
    auto file = TRY(sys::File::open(disk, path_, O_RDWR | O_CREAT));
    if (int result = disk.allocate(file.fd(), 0, kBytes); result < 0) {
        disk.unlink(path_.c_str());
        return errno_error(-result, fmt::format("reserve {} bytes in {}", kBytes, path_));
    }
    there_ = true;
    return {};
}

void Ballast::make_way(const DiskSpace& space) {
    if (space.free >= kBytes) return;
    there_ = false;
    int result = sys::real_disk().unlink(path_.c_str());
    if (result == -ENOENT) return;
    if (result < 0)
        log::error("compute: {}", errno_error(-result, fmt::format("remove {}", path_)).text());
    else
        log::warn("compute: {} has made way, so that something can be deleted: {}", path_,
                  free_text(space));
}

}  // namespace tarn::compute
