// page_map.h: the shared page map of a running incarnation: file and block -> newest version.
// Shim-safe.
//
// One memory area, mapped by every process of a compute and by its supervisor. It is the truth
// about which files exist, how long they are and where their pages lie, as long as the compute
// lives. It is never synced: after a crash it is made anew from a restore point.
//
// Invariants
//   P1  memory below `arena_allocated` is backed by allocated disk space: touching it cannot raise
//       SIGBUS. [PageMapTest.AFullDiskIsMetBeforeAnyOfItsMemoryIsUsed]
//   P2  every offset stored in the area points below `arena_next`, or is 0.
//       [PageMapTest.AFullDiskIsMetBeforeAnyOfItsMemoryIsUsed]
//   P3  a block's location is published (release) only after its page and header are in the log;
//       that of a copy after its page, and before its header (page_copier.h).
//       [PageLogDurableTest.AWriteIsSeenWholeOrNotAtAll,
//       PageCopierStepsTest.NoHeaderBeforeTheMapLeadsToIt]
//   P4  a file's `length` never falls but by truncate(), which the caller holds exclusively.
//       [PageMapTest.LengthsFallByTruncateOnlyWhoeverElseGrowsThem]
//   P5  no lock: whoever dies at any instruction leaves the map usable.
//       [PageMapTest.WhoeverIsKilledInTheMiddleLeavesTheMapUsable]
//
// Threads: any process, any time. Callers serialise writes of one block, and truncates of one file
// (PostgreSQL's buffer and relation locks do).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "store/format.h"

namespace tarn::store {

constexpr uint64_t kMapBytes = uint64_t{16} << 30;  // address space, not disk: pages of some 10 TB
constexpr uint32_t kMaxSources = 4096;
constexpr uint32_t kMaxIndexes = 1024;
constexpr uint32_t kSegmentRing = 4096;
constexpr size_t kControlBytes = 8192;

enum class LogState : uint32_t {
    live = 1,
    ended = 2,     // fenced: a newer incarnation has begun
    poisoned = 3,  // a sync failed; nothing after the last durable seal counts
};

// Names one sealed index (index_reader.h) and how its local source numbers read in this map.
struct IndexRef {
    uint64_t lineage;
    uint32_t incarnation;
    uint32_t number;
};

// The control attachment as last written, and the seal taken with it (if it was one).
struct ControlBuffer {
    uint64_t seal_number;  // counts from 1; 0: no seal yet in this incarnation
    uint64_t seal_slot;    // slots below it belong to the seal
    unsigned char image[kControlBytes];
};

// Writes completed in a segment, and how many of them are durable. A write counts here before it
// gets its tick, so that a sync that covers the tick covers the segment.
struct SegmentSync {
    std::atomic<uint64_t> written;
    std::atomic<uint64_t> synced;
};

struct MapHeader {
    char magic[8];  // "TARNMAP\0"
    uint32_t version;
    uint32_t header_bytes;
    uint64_t lineage;
    uint32_t incarnation;
    std::atomic<LogState> state;

    std::atomic<uint64_t> arena_next;
    std::atomic<uint64_t> arena_allocated;

    alignas(64) std::atomic<uint64_t> next_slot;
    alignas(64) std::atomic<uint64_t> next_birth;
    alignas(64) std::atomic<uint64_t> completed_ticks;
    alignas(64) std::atomic<uint64_t> durable_ticks;
    std::atomic<uint64_t> allocated_slots;            // log space reserved up to here
    std::atomic<uint64_t> directory_synced_segments;  // names of segments below it are durable
    SegmentSync segments[kSegmentRing];

    // The control attachment: two buffers, `control_index` names the current one.
    std::atomic<uint32_t> control_index;
    uint64_t last_checkpoint;  // of the caller: what the last seal's control said
    ControlBuffer control[2];

    // The caller's positions (PostgreSQL: WAL). Opaque here.
    std::atomic<uint64_t> flushed_position;  // everything below is durable and whole
    std::atomic<uint32_t> flushed_epoch;     // PostgreSQL: the TLI of that position
    std::atomic<uint32_t> caller_state;      // PostgreSQL: ShimState bits (src/shim/protocol.h)
    uint32_t caller_version;                 // PostgreSQL: the major
    uint32_t reserved;
    alignas(8) unsigned char caller_area[1024];  // PostgreSQL: src/shim/protocol.h

    uint32_t source_count;  // entry 0 is unused, 1 is this incarnation
    LogId sources[kMaxSources];
    uint32_t index_count;  // newest first
    IndexRef indexes[kMaxIndexes];

    char store_root[512];      // directory of the store
    char data_directory[512];  // where the caller's stubs lie
    char caller[512];          // PostgreSQL: the executable that may use this map

    static constexpr uint32_t kBuckets = 65536;
    std::atomic<uint32_t> buckets[kBuckets];  // file entries by identity; offset / 64

    // After a failed sync, which is never tried again: the kernel may have dropped the bytes and
    // call the next one good. A log that has ended stays that.
    void poison() {
        LogState live = LogState::live;
        state.compare_exchange_strong(live, LogState::poisoned);
    }
};

enum class FileState : uint32_t { live = 1, dead = 2 };

struct FileEntry {
    FileId id;
    std::atomic<uint64_t> birth;
    std::atomic<uint64_t> last_tick;  // of its last completed write
    std::atomic<uint32_t> length;     // blocks
    std::atomic<uint32_t> inherited;  // blocks below it, unless located here, are the ancestors'
    std::atomic<FileState> state;
    uint32_t next;                   // in its bucket; set before the entry is published
    std::atomic<uint32_t> roots[3];  // radix nodes: blocks 0..63, ..4095, ..262143
    uint32_t reserved;
};
static_assert(sizeof(FileEntry) == 64);

constexpr uint32_t kMaxBlocks = 262144;  // of one file: 2 GiB; PostgreSQL splits at 1 GiB

// Makes more of the area usable: backs bytes up to `end` with disk space. 0 or -errno.
struct MapGrower {
    int (*grow)(void* context, uint64_t from, uint64_t end);
    void* context;
};

class PageMap {
  public:
    PageMap() = default;
    PageMap(void* base, MapGrower grower)
        : header_(static_cast<MapHeader*>(base)),
          base_(static_cast<char*>(base)),
          grower_(grower) {}

    // Lays out an empty map in zeroed memory whose header bytes are backed. The caller then fills
    // in sources, indexes, paths and positions.
    static void format(void* base, LogId log, uint64_t allocated_bytes);
    // Is this a map of this version?
    static bool valid(const void* base);
    static uint64_t header_bytes();

    MapHeader& header() const { return *header_; }

    // The live file of that identity, or null.
    FileEntry* find(FileId id) const;
    // The live file, made if there is none: empty, nothing inherited, a birth of its own.
    // Null with *failure = -errno when there is no space.
    FileEntry* find_or_create(FileId id, bool* created, int* failure);
    // Enters a file of a restore point while the map is being made (one process).
    int add_inherited(FileId id, uint64_t birth, uint32_t length);
    void unlink(FileEntry* file) { file->state.store(FileState::dead, std::memory_order_release); }

    // Where the block lies, as far as this map knows. known() == false: ask the indexes if
    // block < inherited, else zeros.
    Version lookup(const FileEntry* file, uint32_t block) const;
    // Publishes a version. 0 or -errno (no space for a node).
    int publish(FileEntry* file, uint32_t block, Version version);
    // Remembers an ancestor's answer unless a newer version has come in between.
    void remember(FileEntry* file, uint32_t block, Version version);
    // Lets the block lie at `to` if it still lies at `from`, where the same bytes are. False if a
    // writer, or a truncate, was first.
    bool move(FileEntry* file, uint32_t block, Location from, Location to);
    // Makes nodes for [block, block + count) so that publish() cannot fail afterwards.
    int reserve(FileEntry* file, uint32_t block, uint32_t count);
    // Cuts to `length` blocks: later blocks are zeros when they come back.
    void truncate(FileEntry* file, uint32_t length);
    // Grows to at least `length`; answers the length afterwards.
    uint32_t grow_length(FileEntry* file, uint32_t length);

    // Visits every live file: visit(context, entry).
    void each_file(void (*visit)(void* context, FileEntry* file), void* context) const;

    // The control attachment. write: by one process at a time. read: a consistent copy.
    void write_control(const void* image, size_t size, bool seal, uint64_t seal_slot);
    void read_control(ControlBuffer* copy) const;

  private:
    struct Node;
    FileEntry* entry_at(uint32_t offset) const;
    Node* node_at(uint32_t offset) const;
    uint32_t allocate(uint64_t bytes, int* failure);
    std::atomic<uint32_t>& bucket(FileId id) const;
    Node* leaf(const FileEntry* file, uint32_t block) const;
    Node* make_leaf(FileEntry* file, uint32_t block, int* failure);
    int make_node(std::atomic<uint32_t>& place, bool inner, uint32_t* offset);

    MapHeader* header_ = nullptr;
    char* base_ = nullptr;
    MapGrower grower_{};
};

}  // namespace tarn::store
