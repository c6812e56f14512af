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
Path index_path(const char* root, LogId log, uint32_t number);
Path restore_point_path(const char* root, LogId log, uint32_t number);
Path map_path(const char* root, LogId log);

}  // namespace tarn::store
