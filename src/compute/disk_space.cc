#include "compute/disk_space.h"

#include <sys/statvfs.h>

#include <algorithm>

namespace tarn::compute {

namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;

// A part of the disk, but at least what a machine needs to go on, where that is not too large a
// part of a small disk, and never more than anybody needs.
uint64_t part_of(uint64_t total, uint64_t part, uint64_t least, uint64_t largest_part,
                 uint64_t most) {
    return std::min(std::max(total / part, std::min(least, total / largest_part)), most);
}

bool is_below(uint64_t free, uint64_t limit, bool was) {
    return free < limit || (was && free < limit + limit / 8);
}

}  // namespace

DiskSpace judge_disk(uint64_t total, uint64_t free, const DiskLimits& limits, DiskState before) {
    DiskSpace space;
    space.total = total;
    space.free = free;
    uint64_t critical = part_of(total, 50, 512 * kMiB, 8, 8 * kGiB);
    if (limits.low && *limits.low > 0) critical = std::min(critical, *limits.low);
    space.critical = limits.critical.value_or(critical);
    space.low =
        limits.low.value_or(std::max(part_of(total, 20, kGiB, 4, 32 * kGiB), space.critical));
    if (is_below(free, space.low, before != DiskState::enough)) space.state = DiskState::low;
    if (is_below(free, space.critical, before == DiskState::critical))
        space.state = DiskState::critical;
    return space;
}

DiskSpace DiskWatch::look() {
    struct statvfs found {};
    if (::statvfs(path_.c_str(), &found) == 0)
        last_ = judge_disk(uint64_t{found.f_blocks} * found.f_frsize,
                           uint64_t{found.f_bavail} * found.f_frsize, limits_, last_.state);
    return last_;
}

}  // namespace tarn::compute
