// block_range.h: stretches of a file's blocks.
#pragma once

#include <cstdint>
#include <vector>

namespace tarn {

// Blocks [begin, end).
struct BlockRange {
    uint32_t begin = 0;
    uint32_t end = 0;
};

// Adds one that begins at or behind the end of all that are there.
inline void append_range(std::vector<BlockRange>& ranges, BlockRange range) {
    if (!ranges.empty() && ranges.back().end == range.begin)
        ranges.back().end = range.end;
    else
        ranges.push_back(range);
}

}  // namespace tarn
