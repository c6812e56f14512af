// disk_space.h: how much room the file system of the data directory has, and what that means.
//
// PostgreSQL ends when its WAL has no room. So long before that, at `low`, nothing new is made and
// old restore points go sooner; and at `critical` computes only read (disk_guard.h), so that what
// is left suffices for checkpoints, restore points and starts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn::compute {

enum class DiskState { enough, low, critical };
inline std::string_view disk_state_name(DiskState state) {
    constexpr std::string_view kNames[] = {"enough", "low", "critical"};
    return kNames[static_cast<size_t>(state)];
}

// Free bytes below which it is so; 0: never. Without a value it follows from the disk's size.
struct DiskLimits {
    std::optional<uint64_t> low;
    std::optional<uint64_t> critical;
    bool operator==(const DiskLimits&) const = default;
};

struct DiskSpace {
    DiskState state = DiskState::enough;
    uint64_t total = 0;
    uint64_t free = 0;  // for those who are not root
    uint64_t low = 0;   // the limits that hold for this disk
    uint64_t critical = 0;
};
// "1.2 GiB of 50.0 GiB are free"
inline std::string free_text(const DiskSpace& space) {
    constexpr double kGiB = 1 << 30;
    return fmt::format("{:.2f} GiB of {:.1f} GiB are free", static_cast<double>(space.free) / kGiB,
                       static_cast<double>(space.total) / kGiB);
}

// What a disk's room means, coming from a state: one is only left when there is an eighth more
// than its limit.
DiskSpace judge_disk(uint64_t total, uint64_t free, const DiskLimits& limits, DiskState before);

class DiskWatch {
  public:
    DiskWatch(std::string path, DiskLimits limits)
        : path_(std::move(path)), limits_(std::move(limits)) {}

    // Asks the file system now. Where that fails, what was so before.
    DiskSpace look();

  private:
    std::string path_;
    DiskLimits limits_;
    DiskSpace last_;
};

}  // namespace tarn::compute
