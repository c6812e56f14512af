// format.h: the bytes of a log on disk (docs/formats/log.md). Shim-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/crc32c.h"
#include "base/file_id.h"

namespace tarn::store {

constexpr size_t kBlockBytes = 8192;
constexpr uint64_t kSlotsPerSegment = 32768;  // 256 MiB of pages a segment file

enum class SlotKind : uint16_t {
    none = 0,      // never written
    page = 1,      // a page version; `block` is its number
    truncate = 2,  // a mark: the file was cut to `block` blocks; the slot's page is unused
    copy = 3,      // the page of `copied_slot` once more, in a better place
    unused = 4,    // nobody's: drawn for a copy of what had been replaced meanwhile
};

constexpr bool holds_page(SlotKind kind) {
    return kind == SlotKind::page || kind == SlotKind::copy;
}

// One header for each slot, at slot * 64 of its segment's slots file.
struct SlotHeader {
    uint32_t crc;       // CRC-32C of bytes 4..63
    uint32_t page_crc;  // CRC-32C of the page; 0 where there is none
    uint64_t slot;      // its own number in the incarnation's log
    uint64_t lineage;   // whose log this is
    uint32_t incarnation;
    SlotKind kind;
    uint16_t reserved;  // 0
    FileId file;
    uint64_t birth;  // which of the files that ever had this identity
    uint32_t block;
    uint32_t copied_slot;  // of a copy: the slot of this log that it was made of; else 0

    uint32_t expected_crc() const {
        return crc32c(0, reinterpret_cast<const char*>(this) + 4, sizeof(SlotHeader) - 4);
    }
};
static_assert(sizeof(SlotHeader) == 64);
static_assert(offsetof(SlotHeader, slot) == 8 && offsetof(SlotHeader, lineage) == 16 &&
              offsetof(SlotHeader, incarnation) == 24 && offsetof(SlotHeader, kind) == 28 &&
              offsetof(SlotHeader, file) == 32 && offsetof(SlotHeader, birth) == 48 &&
              offsetof(SlotHeader, block) == 56 && offsetof(SlotHeader, copied_slot) == 60);

// Where a page version lies: a source (which log) and a slot of it, in one word.
// 0 says "not known here"; zeros() says "the page is zeros".
struct Location {
    uint64_t word = 0;

    static constexpr uint64_t kSlotBits = 48;
    static constexpr Location zeros() { return {1}; }
    static constexpr Location at(uint16_t source, uint64_t slot) {
        return {uint64_t{source} << kSlotBits | slot};
    }
    bool known() const { return word != 0; }
    bool is_zeros() const { return word == 1; }
    uint16_t source() const { return static_cast<uint16_t>(word >> kSlotBits); }  // from 1
    uint64_t slot() const { return word & ((uint64_t{1} << kSlotBits) - 1); }
    bool operator==(const Location&) const = default;
};

// A page version with the checksum its bytes must have.
struct Version {
    Location location;
    uint32_t page_crc = 0;
};

// Names a log: the incarnation of a lineage.
struct LogId {
    uint64_t lineage = 0;
    uint32_t incarnation = 0;
    bool operator==(const LogId&) const = default;
    auto operator<=>(const LogId&) const = default;
};

}  // namespace tarn::store
