// index_reader.h: looks versions up in sealed indexes (docs/formats/index.md). Shim-safe.
//
// An index is immutable: which version of each block a stretch of sealed history holds. A restore
// point names a stack of them, newest first; the first one that knows a block has the answer.
#pragma once

#include <cstddef>
#include <cstdint>

#include "store/format.h"
#include "store/page_map.h"
#include "sys/disk.h"

namespace tarn::store {

inline constexpr char kIndexMagic[8] = "TARNIDX";
inline constexpr uint32_t kIndexVersion = 1;

struct IndexFileHeader {
    char magic[8];  // kIndexMagic
    uint32_t version;
    uint32_t crc;  // of the whole file with this field 0
    uint64_t file_count;
    uint64_t entry_count;
    uint32_t source_count;
    uint32_t reserved;
    uint64_t total_bytes;
    // then: LogId sources[source_count] (16 bytes each), IndexFile files[file_count] sorted by
    // (id, birth), IndexEntry entries[entry_count] grouped by file, sorted by block
};
static_assert(sizeof(IndexFileHeader) == 48);

struct IndexFile {
    FileId id;
    uint64_t birth;
    uint64_t first_entry;
    uint32_t entries;
    uint32_t cut;  // blocks from here on that are not entered are zeros; UINT32_MAX: never cut
};
static_assert(sizeof(IndexFile) == 40);

struct IndexEntry {
    uint32_t block;
    uint32_t page_crc;
    uint64_t location;  // Location::word with the index's own source numbers, from 1
};
static_assert(sizeof(IndexEntry) == 16);

enum class IndexAnswer { found, zeros, unknown };

// One index in memory (mapped or read).
class IndexReader {
  public:
    // Checks structure (and, if asked, the checksum) so that later look-ups cannot leave the bytes.
    // 0 or -EIO.
    int open(const void* data, size_t size, bool check_crc);
    IndexAnswer lookup(FileId file, uint64_t birth, uint32_t block, IndexEntry* entry) const;
    // For look-ups of neighbours: entries of the file from `block` on.
    const IndexFile* find(FileId file, uint64_t birth) const;
    const IndexEntry* entries(const IndexFile* file) const;

    const IndexFileHeader* header() const { return header_; }
    const LogId* sources() const;
    const IndexFile* files() const;

  private:
    const IndexFileHeader* header_ = nullptr;
};

// The indexes of a map, newest first, mapped into this process on first use.
class IndexStack {
  public:
    // The answer in the map's source numbers. 0, or -EIO when an index cannot be read.
    // `known` false: no index knows the block: zeros.
    int lookup(sys::Disk& disk, const MapHeader& map, const FileEntry* file, uint32_t block,
               Version* version, bool* known);

  private:
    int load(sys::Disk& disk, const MapHeader& map);

    struct Loaded {
        IndexReader reader;
        const uint16_t* sources = nullptr;  // local source number -> the map's
    };
    Loaded* loaded_ = nullptr;  // kMaxIndexes of them, in memory of its own
    uint32_t count_ = 0;
};

}  // namespace tarn::store
