// point_reader.h: reads blocks as a restore point has them: where its indexes say that they lie,
// and what lies there, compared with what the indexes claim of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "store/index_writer.h"
#include "store/packed_reader.h"
#include "store/restore_point.h"
#include "sys/files.h"

namespace tarn::store {

// Does the failure say that stored bytes are gone or not what was written? Any other one only says
// that this process could not look.
bool is_damage(const Error& failure);

// A page version as an index names it.
struct SlotClaim {
    FileBirth file;
    uint32_t block = 0;
    uint32_t page_crc = 0;
    LogId log;
    uint64_t slot = 0;
};

// Where an entry of a loaded index says that its page lies. data_loss if it cannot say so.
Result<SlotClaim> claim_of(const IndexReader& index, const FileBirth& file,
                           const IndexEntry& entry);

// "page of slot ... is not what was written"
Error damaged_slot(const char* what, const SlotClaim& claim);

// The newest index of the stack that knows the block has the answer; nullopt: zeros.
Result<std::optional<SlotClaim>> look_up(const std::vector<LoadedIndex>& indexes,
                                         const FileBirth& file, uint32_t block);

// Reads slots and compares them with what is claimed of them.
class SlotReader {
  public:
    SlotReader(sys::Disk& disk, std::string root) : disk_(&disk), root_(std::move(root)) {}

    // `page` takes kBlockBytes.
    Result<void> header(const SlotClaim& claim);
    Result<void> page(const SlotClaim& claim, void* page);
    // Which slot of the same log it was copied from; nullopt if it is no copy, or not whole.
    Result<std::optional<uint64_t>> copied_slot(const SlotClaim& claim);
    // Is there nothing where the slot should be? If it is not packed either, it was given back
    // (give_back.h), or lost: that is for those to say who show it.
    Result<bool> is_gone(const SlotClaim& claim);

  private:
    using Key = std::tuple<LogId, uint64_t, bool>;
    Result<sys::File*> segment(const SlotClaim& claim, bool slots);
    Result<const SlotHeader*> header_at(const SlotClaim& claim);
    Result<bool> has_header(const SlotClaim& claim);

    sys::Disk* disk_;
    std::string root_;
    std::map<Key, sys::File> files_;
    std::unique_ptr<PackedReader> packed_ = std::make_unique<PackedReader>();
    // Headers around the one that was asked for last: those of neighbours come next.
    std::vector<SlotHeader> window_;
    LogId window_log_;
    uint64_t window_begin_ = 0;
};

// A restore point with its indexes, to read blocks of.
class PointReader {
  public:
    static Result<PointReader> load(sys::Disk& disk, const std::string& root, RestorePoint point);

    const RestorePoint& point() const { return point_; }
    const std::vector<LoadedIndex>& indexes() const { return indexes_; }
    // Null if it lists no such file.
    const FileRecord* file(FileId id) const { return find_file(point_.files, id); }
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

}  // namespace tarn::store
