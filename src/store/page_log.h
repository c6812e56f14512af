// page_log.h: appends page versions to an incarnation's log and reads versions back. Shim-safe.
//
// Order of every write: page bytes, then header, then map (P3). Nothing is overwritten, so a reader
// never sees half a page. docs/formats/log.md has bytes, order of syncs and the crash table.
//
// Fails with -ENOSPC (nothing changed), -EIO (fenced, poisoned, checksum mismatch, disk).
// Threads: any process; see page_map.h for what the caller serialises.
#pragma once

#include "store/index_reader.h"
#include "store/packed_reader.h"
#include "store/page_map.h"
#include "store/read_ahead.h"
#include "sys/disk.h"

namespace tarn::store {

class PageLog {
  public:
    // `map` is attached; the object is one process's view (its own descriptors).
    PageLog(sys::Disk& disk, PageMap map) : disk_(disk), map_(map) {}

    PageMap& map() { return map_; }

    // Appends pages[i] as block `block` + i. Zero pages that are zeros already take no slot. The
    // caller may change a page meanwhile: what is kept is whole, and some of the changes.
    int write(FileEntry* file, uint32_t block, const void* const* pages, uint32_t count);
    // Reads the newest version of block `block` + i, or zeros, into pages[i]. Does not look at the
    // file's length.
    int read(FileEntry* file, uint32_t block, void* const* pages, uint32_t count);
    // Hints that these blocks will be read.
    void prefetch(FileEntry* file, uint32_t block, uint32_t count);
    // Hints that these blocks will soon be synced.
    void write_back(FileEntry* file, uint32_t block, uint32_t count);
    // Cuts the file to `blocks` blocks, with a mark unless it is cut to nothing (then: a new
    // birth).
    int truncate(FileEntry* file, uint32_t blocks);

    // Makes every completed write of `file` durable; returns at once if they are.
    int sync_file(const FileEntry* file);
    // Makes every completed write durable. A failure poisons the incarnation.
    int sync_all();
    // Syncs and publishes a seal with this control image. `checkpoint` is the caller's mark.
    int seal(const void* control, size_t size, uint64_t checkpoint);

    // Fails with -EIO when fenced or poisoned.
    int check_live() const;

    void close_descriptors();

  private:
    friend class PageCopier;  // appends too

    struct Descriptor {
        LogId log;
        uint64_t segment = 0;
        int fd = -1;
        bool slots = false;  // the segment's headers, not its pages
        uint64_t used = 0;
    };

    int descriptor(LogId log, uint64_t segment, bool slots);
    int open_segment(LogId log, uint64_t segment, bool slots);
    bool close_least_used();
    int allocate_until(uint64_t slot);
    int reserve_slots(uint32_t count, uint64_t* first);
    int append(FileEntry* file, SlotKind kind, uint32_t block, const void* const* pages,
               uint32_t count, Version* versions);
    int append_in_segment(SlotHeader* headers, uint32_t first, uint32_t count);
    void complete(FileEntry* file, uint64_t first_slot, uint64_t last_slot);
    int write_batch(FileEntry* file, uint32_t block, const void* const* pages, uint32_t count);
    int resolve(FileEntry* file, uint32_t block, Version* version);
    int read_run(const Version* versions, void* const* pages, uint32_t count, bool* cold);
    void read_ahead(FileEntry* file, uint32_t block, uint32_t count, bool cold);
    bool is_cached(FileEntry* file, uint32_t block);
    uint32_t locate(FileEntry* file, uint32_t block, uint32_t count, Location* sorted);
    void hint(const Location* sorted, uint32_t count, uint64_t gap,
              void (sys::Disk::*what)(int fd, int64_t offset, int64_t size));
    static bool is_whole(const Version& version, const void* page);
    bool read_packed(const Version& version, void* page);
    int read_checked(FileEntry* file, uint32_t block, Version version, void* page);
    int sync_segment(uint64_t segment);
    int fail_sync(int failure);

    sys::Disk& disk_;
    PageMap map_;
    IndexStack indexes_;
    ReadAhead read_ahead_;
    PackedReader packed_;
    static constexpr uint32_t kHinted = ReadAhead::kLastWindow;  // blocks hinted about at a time
    static constexpr uint32_t kBatch = 32;  // pages handled at a time, on the stack
    // Segment files open at a time in one process: the pages of 32 GiB, beside what PostgreSQL may
    // have open itself (max_files_per_process, 1,000). Each has its place in one set.
    static constexpr uint32_t kDescriptorSets = 128;
    static constexpr uint32_t kDescriptorsOfSet = 4;
    Descriptor descriptors_[kDescriptorSets][kDescriptorsOfSet];
    uint64_t uses_ = 0;
    alignas(64) char staged_[kBatch][kBlockBytes];  // pages on their way to the log
};

}  // namespace tarn::store
