// flag_counts.h: how many flags are set in a stretch of them, told without a walk over it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tarn {

class FlagCounts {
  public:
    explicit FlagCounts(const std::vector<bool>& flags) {
        before_.reserve(flags.size() + 1);
        for (bool flag : flags) before_.push_back(before_.back() + (flag ? 1 : 0));
    }
    // Of `first` to `last`, both included.
    uint32_t between(size_t first, size_t last) const { return before_[last + 1] - before_[first]; }

  private:
    std::vector<uint32_t> before_{0};
};

}  // namespace tarn
