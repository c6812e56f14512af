// file_id.h: the identity of a file in the page store: 128 opaque bits.
//
// The store only compares, sorts and persists it; src/pg/relation_path.h gives it PostgreSQL's
// meaning (docs/formats/file-id.md). {0, 0} names no file.
#pragma once

#include <compare>
#include <cstdint>

namespace tarn {

struct FileId {
    uint64_t hi = 0;
    uint64_t lo = 0;

    auto operator<=>(const FileId&) const = default;
    bool valid() const { return (hi | lo) != 0; }
};
static_assert(sizeof(FileId) == 16);

}  // namespace tarn
