// paths.h: where the files of the store lie. Shim-safe: formats into the caller's buffer.
//
//   <root>/lineages/<lineage, 16 hex>/lineage               record of the lineage
//                                    /lock                  held by every process of its compute
//                                    /<incarnation, 8 digits>/incarnation  its record
//                                        /<segment, 8 digits>.pages, .slots  the log
//                                        /<number, 8 digits>.index           sealed indexes
//                                        /<number, 8 digits>.restore         restore points
//                                        /map                       shared page map (scratch)
//                                        /wal/, /wal_archive/       the caller's own journal
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
