// page_copier.h: brings blocks together: copies of their newest versions, one after another in the
// order of the blocks, at the end of the same log.
//
// A copy competes with writers and truncates, which take no notice of it: page, then the map's word
// by compare-and-swap from the old slot to the new one, and only then the header. Whoever is first
// wins; a copy that comes too late leaves an `unused` slot. So a copy's header says that the map
// led to it, and which slot it led to before: index_writer.h takes it for the newest version
// exactly if that slot was. A copy without a header is a hole, which stays; its source stays in the
// indexes.
//
// Invariants
//   D1  no header of a copy is there before the map leads to the copy: what an index shows, the map
//       no longer needs the source of. [PageCopierStepsTest.NoHeaderBeforeTheMapLeadsToIt]
//   D2  only a slot whose own header is there is copied, so that a header is never missing in
//       between. [PageCopierStepsTest.ACopyWithoutAHeaderIsNotCopied]
//   D3  damage stays where it is: no bytes are copied that are not what the header vouches for.
//       [PageCopierTest.DamageIsNotCopied]
//
// Threads: one at a time for each log; writers, readers, truncates and seals run beside it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "store/page_log.h"
#include "store/point_reader.h"

namespace tarn::store {

class PageCopier {
  public:
    static constexpr uint32_t kBlocksMax = 128;  // at a time

    explicit PageCopier(PageLog& log) : log_(log) {}

    // May the version at `location` be copied? One of this log, not of an earlier or an ancestor's.
    static bool can_copy(Location location);

    // Copies blocks of the file (ascending, at most kBlocksMax) that can be copied; answers how
    // many have moved. Copies become durable with the next seal.
    Result<uint32_t> copy(FileEntry* file, std::span<const uint32_t> blocks);

  private:
    struct Copy {
        uint32_t block;
        Version source;
        uint64_t slot;
    };

    void read_sources(FileEntry* file, const FileBirth& birth, std::span<const uint32_t> blocks);
    Result<void> write_part(const void* bytes, size_t unit, size_t first, size_t count, bool slots);
    Result<void> write(const void* bytes, size_t unit, bool slots);
    SlotHeader header_of(const Copy& copy, const FileBirth& file, bool moved) const;

    PageLog& log_;
    std::vector<Copy> copies_;
    std::vector<char> pages_;  // of copies_
};

}  // namespace tarn::store
