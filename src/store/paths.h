// paths.h: where the files of the store lie. Shim-safe: formats into the caller's buffer.
// The tree as a whole: docs/formats/lineage.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "store/format.h"

namespace tarn::store {

constexpr size_t kPathBytes = 768;

// Directories of an incarnation for the caller's journal: the first is made with the incarnation,
// the second by the caller when it has something to keep.
inline constexpr char kWalDirectory[] = "wal";
inline constexpr char kWalArchiveDirectory[] = "wal_archive";

struct Path {
    char text[kPathBytes];
    operator const char*() const { return text; }
};

Path lineage_directory(const char* root, uint64_t lineage);
Path incarnation_directory(const char* root, LogId log);
Path segment_path(const char* root, LogId log, uint64_t segment, bool slots);
// Of page versions that only older restore points show (packed_reader.h). A segment has one at a
// time, under a number that no other one of the segment has; after crashes more.
constexpr uint32_t kPackedNumbers = 3;
Path packed_path(const char* root, LogId log, uint64_t segment, uint32_t number);
// Is it the name of one of the segment's? Then *number is set.
bool is_packed_name(const char* name, uint64_t* segment, uint32_t* number);
Path index_path(const char* root, LogId log, uint32_t number);
Path restore_point_path(const char* root, LogId log, uint32_t number);
Path map_path(const char* root, LogId log);

}  // namespace tarn::store
