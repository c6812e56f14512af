// page_log.h: appends page versions to an incarnation's log and reads versions back. Shim-safe.
//
// Order of every write: page bytes, then header, then map (M3). Nothing is overwritten, so a reader never
// sees half a page. docs/formats/log.md has bytes, order of syncs and the crash table.
//
// Fails with -ENOSPC (nothing changed), -EIO (fenced, poisoned, checksum mismatch, disk).
// Threads: any process; see page_map.h for what the caller serialises.
#pragma once

#include <sys/uio.h>

#include "store/index_reader.h"
#include "store/page_map.h"
#include "sys/disk.h"

namespace tarn::store {

class PageLog {
  public:
    // `map` is attached; the object is one process's view (its own descriptors).
    PageLog(sys::Disk& disk, PageMap map) : disk_(disk), map_(map) {}

    PageMap& map() { return map_; }

    // Appends `count` pages for blocks [block, block + count); `data` holds them one after the other.
    int write(FileEntry* file, uint32_t block, const void* data, uint32_t count);
    // Reads blocks [block, block + count) into `data`: their newest versions, or zeros. Does not look
    // at the file's length.
    int read(FileEntry* file, uint32_t block, void* data, uint32_t count);
    // Hints that these blocks will be read.
    void prefetch(FileEntry* file, uint32_t block, uint32_t count);
    // Cuts the file to `blocks` blocks, with a mark unless it is cut to nothing (then: a new birth).
    int truncate(FileEntry* file, uint32_t blocks);

    // Makes every completed write of `file` durable; returns at once if they are.
    int sync_file(const FileEntry* file);
    // Makes every completed write durable. A failure poisons the incarnation.
    int sync_all();
    // Syncs and publishes a seal with this control image. `checkpoint` is the caller's mark.
    int seal(const void* control, size_t size, uint64_t checkpoint);

    // Fails with -EIO when fenced or poisoned.
    int check_live() const;

    // Writes only; the supervisor and import use it to close descriptors before a fork or at the end.
    void close_descriptors();

  private:
    struct Descriptor {
        LogId log;
        uint64_t segment = 0;
        int fd = -1;
        bool slots = false;  // the segment's headers, not its pages
        uint64_t used = 0;
    };

    int descriptor(LogId log, uint64_t segment, bool slots, bool create);
    int reserve_slots(uint64_t count, uint64_t* first);
    int allocate_until(uint64_t slot);
    int append(FileEntry* file, SlotKind kind, uint32_t block, const void* data, uint32_t count);
    int write_run(FileEntry* file, SlotKind kind, uint32_t block, const char* data, uint32_t count,
                  uint64_t slot);
    Version resolve(FileEntry* file, uint32_t block);
    int read_run(Location first, void* data, uint32_t count);
    int verify(FileEntry* file, uint32_t block, Version version, void* page);
    int poison(int failure);

    sys::Disk& disk_;
    PageMap map_;
    IndexStack indexes_;
    static constexpr int kDescriptors = 64;  // segments open at a time in one process
    Descriptor descriptors_[kDescriptors];
    uint64_t uses_ = 0;
};

}  // namespace tarn::store
