// restore_point_format.h: the bytes of restore points (docs/formats/restore-point.md) and of the
// records of lineages and incarnations (docs/formats/lineage.md).
#pragma once

#include <cstdint>

#include "store/codec.h"
#include "store/page_map.h"

namespace tarn::store {

constexpr char kRestorePointMagic[8] = "TARNRPT";
constexpr uint32_t kRestorePointVersion = 1;
constexpr char kLineageMagic[8] = "TARNLIN";
constexpr uint32_t kLineageVersion = 1;
constexpr char kIncarnationMagic[8] = "TARNINC";
constexpr uint32_t kIncarnationVersion = 1;

// Then: uint64_t holes[], IndexRef indexes[], FileRecordBytes files[], attachments.
struct RestorePointHeader {
    RecordPrefix prefix;
    uint64_t lineage;
    uint32_t incarnation;
    uint32_t number;
    uint64_t seal_slot;
    uint64_t next_birth;
    uint64_t hole_count;
    uint64_t file_count;
    uint32_t index_count;
    uint32_t attachment_count;
};
static_assert(sizeof(RestorePointHeader) == 80);
static_assert(sizeof(IndexRef) == 16);

struct FileRecordBytes {
    uint64_t id_hi;
    uint64_t id_lo;
    uint64_t birth;
    uint32_t length;
    uint32_t reserved;
};
static_assert(sizeof(FileRecordBytes) == 32);

// A lineage or an incarnation; then: attachments. `origin` is the lineage's parent, or the
// incarnation's base; origin_number 0: none.
struct LineageHeader {
    RecordPrefix prefix;
    uint64_t lineage;
    uint32_t incarnation;  // 0 in the record of a lineage
    uint32_t attachment_count;
    uint64_t origin_lineage;
    uint32_t origin_incarnation;
    uint32_t origin_number;
};
static_assert(sizeof(LineageHeader) == 56);

}  // namespace tarn::store
