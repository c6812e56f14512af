// compare.h: which blocks differ between two restore points.
//
// What both rest on is not looked at: a block can only differ if an index says something of it that
// is not under both, or if it lies beyond the shorter of its two files. Of those that remain, one
// that lies at the same place on both sides, or on one side in a copy of the other's, is shared; of
// the others, two with different checksums differ, and only the rest is read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/block_range.h"
#include "base/result.h"
#include "store/index_writer.h"
#include "store/restore_point.h"
#include "store/verify.h"

namespace tarn::store {

// A restore point with its indexes, to read blocks of.
class PointReader {
  public:
    static Result<PointReader> load(sys::Disk& disk, const std::string& root, RestorePoint point);

    const RestorePoint& point() const { return point_; }
    const std::vector<LoadedIndex>& indexes() const { return indexes_; }
    // Null if it lists no such file.
    const FileRecord* file(FileId id) const;
    // Where the newest version lies; nullopt: zeros, also behind the file's end.
    Result<std::optional<SlotClaim>> find(const FileRecord& file, uint32_t block) const;
    // The slot that this one was copied from (page_copier.h); nullopt if it is no copy.
    Result<std::optional<uint64_t>> copied_slot(const SlotClaim& claim) {
        return slots_.copied_slot(claim);
    }
    // kBlockBytes, zeros where there are none.
    Result<void> read(const std::optional<SlotClaim>& claim, void* page);

  private:
    PointReader(sys::Disk& disk, const std::string& root, RestorePoint point)
        : point_(std::move(point)), slots_(disk, root) {}

    RestorePoint point_;
    std::vector<LoadedIndex> indexes_;  // newest first
    SlotReader slots_;
};

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
Result<std::vector<FileChange>> compare(PointReader& one, PointReader& other);

}  // namespace tarn::store
