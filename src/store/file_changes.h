// file_changes.h: which blocks differ between two restore points.
//
// What both rest on is not looked at: a block can only differ if an index says something of it that
// is not under both, or if it lies beyond the shorter of its two files. Of those that remain, one
// that lies at the same place on both sides, or on one side in a copy of the other's, is shared; of
// the others, two with different checksums differ, and only the rest is read.
#pragma once

#include <cstdint>
#include <vector>

#include "base/block_range.h"
#include "base/result.h"
#include "store/point_reader.h"

namespace tarn::store {

struct FileChange {
    FileId id;
    // It is on one side only, or another file of that identity: all its blocks.
    bool replaced = false;
    // Those that the two do not share, ascending and apart. They were written by each side for
    // itself, so equal bytes may mean different things.
    std::vector<BlockRange> blocks;
    uint64_t changed = 0;  // how many of these have different bytes
};

// Files with blocks that are not shared, sorted by id.
Result<std::vector<FileChange>> file_changes(PointReader& one, PointReader& other);

}  // namespace tarn::store
