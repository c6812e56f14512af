// packed_reader.h: reads page versions that were packed (docs/formats/packed.md). Shim-safe.
//
// What only older restore points show is moved, compressed, from a segment's pages into its packed
// file (segment_packer.h). Slots keep their numbers: who finds other bytes in a slot's place than
// its checksum wants looks here. A packed file never changes; another one takes its place, with all
// that restore points still show, so nothing is kept open.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/crc32c.h"
#include "store/format.h"
#include "store/paths.h"
#include "sys/disk.h"

struct ZSTD_DCtx_s;

namespace tarn::store {

inline constexpr char kPackedMagic[8] = "TARNPCK";
inline constexpr uint32_t kPackedVersion = 1;
constexpr uint64_t kPackedGroup = 64;  // places of a segment that are looked up together
constexpr uint64_t kPackedGroups = kSlotsPerSegment / kPackedGroup;

struct PackedHeader {
    char magic[8];  // kPackedMagic
    uint32_t version;
    uint32_t crc;  // CRC-32C of the header with this field 0, and of the entries
    uint64_t lineage;
    uint32_t incarnation;
    uint32_t count;  // entries
    uint64_t segment;
    uint64_t total_bytes;            // of the file
    uint16_t before[kPackedGroups];  // entries of earlier groups
    // then: PackedEntry entries[count], sorted by place; then the compressed pages

    uint32_t expected_crc(const void* entries, size_t bytes) const {
        PackedHeader copy = *this;
        copy.crc = 0;
        return crc32c(crc32c(0, &copy, sizeof copy), entries, bytes);
    }
};
static_assert(sizeof(PackedHeader) == 48 + 2 * kPackedGroups);

struct PackedEntry {
    uint16_t place;   // slot % kSlotsPerSegment
    uint16_t bytes;   // compressed (zstd); 0: it would not get smaller, and is in its slot
    uint32_t offset;  // in the file
};
static_assert(sizeof(PackedEntry) == 8);

constexpr size_t kMostPackedBytes = 6144;  // of a page: one that stays larger is left in its slot

// Is it the header of this segment, in a file of so many bytes?
bool is_packed_header(const PackedHeader& header, LogId log, uint64_t segment, uint64_t size);

// Needs no allocator, and may be zeroed memory. The library's context points into the object, and
// is made once: making it asks the processor what it can do, which takes tens of microseconds where
// a hypervisor answers.
class Unpacker {
  public:
    Unpacker() = default;
    Unpacker(const Unpacker&) = delete;
    Unpacker& operator=(const Unpacker&) = delete;

    // 0, or -EIO if these bytes are not a page of kBlockBytes.
    int unpack(const void* bytes, size_t size, void* page);
    // Does the library need more room than there is? Then nothing may be packed.
    static bool has_room();

  private:
    static constexpr size_t kWorkspace = size_t{128} << 10;
    ZSTD_DCtx_s* context_ = nullptr;
    alignas(64) char workspace_[kWorkspace];
};

class PackedReader {
  public:
    struct Wanted {
        LogId log;
        uint64_t slot = 0;
        uint32_t page_crc = 0;
    };
    // The page of the slot, from the first packed file that has it whole. 0; -ENOENT if it is in
    // none; -EIO if the file or what it has of the page is damaged; what the disk says.
    int read(sys::Disk& disk, const char* root, const Wanted& wanted, void* page);

  private:
    int read_once(sys::Disk& disk, const char* root, const Wanted& wanted, void* page);
    int read_from(sys::Disk& disk, int fd, const Wanted& wanted, void* page);

    Unpacker unpacker_;
};

}  // namespace tarn::store
