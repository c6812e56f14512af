// segment_packer.h: moves page versions that only older restore points show, compressed, from a
// segment's pages into its packed file (docs/formats/packed.md).
//
// Invariants
//   S1  a page leaves its slot only when the packed file that has it is durable under its name.
//       [power_loss_test.cc]
//   S2  a slot that a restore point shows is in each packed file that replaces one that had it.
//       [SegmentPackerTest.WhatStaysIsInTheNextFileToo]
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/packed_files.h"
#include "sys/disk.h"

namespace tarn::store {

// What becomes of a slot; of one that is several things, the last of them.
enum class Use : uint8_t {
    none,     // nobody shows it
    history,  // only older restore points show it: may be packed
    plain,    // stays as it is: the newest restore point shows it, or a branch, or it may be in use
};
using Uses = std::vector<Use>;  // of the slots of a segment

class SegmentPacker {
  public:
    // One segment of a log, with the numbers of its packed files. `root` stays where it is.
    SegmentPacker(sys::Disk& disk, const char* root, LogId log, uint64_t segment,
                  std::vector<uint32_t> numbers)
        : disk_(disk), root_(root), log_(log), segment_(segment), numbers_(std::move(numbers)) {}

    bool has_files() const { return !numbers_.empty(); }

    // Packs the segment anew if that wins enough: what is packed already and still shown, and the
    // history that is not packed yet. Answers which pages need their slots no more: those that were
    // written, and are what their headers say, or have no slot any more; nothing if it was left as
    // it is. At most `pages` are packed, which it lowers; damaged ones stay as they are. `holes`:
    // slots that have become holes, as far as that is known: of their pages there is no second copy
    // to compare. The removal of restore points that have gone is durable.
    Result<std::optional<std::vector<bool>>> run(const Uses& uses, const std::vector<bool>& holes,
                                                 uint32_t least_pages, uint32_t& pages);

  private:
    struct Page {
        std::string bytes;   // compressed; empty: it is in its slot
        bool whole = false;  // compared with its header's checksum, or taken as it is: its slot is
                             // a hole, so nothing better is to be had
    };
    using Packed = std::map<uint16_t, Page>;  // by place

    Result<std::vector<PackedFile>> load() const;
    Result<void> drop_needless(std::vector<PackedFile>& files, const Uses& uses,
                               const std::vector<SlotHeader>& headers);
    Result<void> remove(const std::vector<uint32_t>& numbers) const;
    static bool is_worth_it(const std::vector<PackedFile>& files, const Uses& uses,
                            uint32_t least_pages);
    static Result<Packed> packed_pages(const std::vector<PackedFile>& files,
                                       std::optional<size_t> without, const Uses& uses,
                                       const std::vector<SlotHeader>& headers,
                                       const std::vector<bool>& holes);
    Result<std::vector<SlotHeader>> read_headers() const;
    Result<void> add(Packed& packed, const Uses& uses, const std::vector<SlotHeader>& headers,
                     uint32_t& pages) const;
    std::string encode(const Packed& packed) const;
    Result<void> replace(const Packed& packed);

    sys::Disk& disk_;
    const char* root_;
    LogId log_;
    uint64_t segment_;
    std::vector<uint32_t> numbers_;
};

}  // namespace tarn::store
