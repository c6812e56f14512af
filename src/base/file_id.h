// file_id.h: the identity of a file in the page store: 128 opaque bits.
//
// The store only compares and sorts it; src/pg/relation_path.h gives it PostgreSQL's meaning.
#pragma once

#include <compare>
#include <cstdint>

namespace tarn {

struct FileId {
    uint64_t hi = 0;
    uint64_t lo = 0;

    auto operator<=>(const FileId&) const = default;
};
static_assert(sizeof(FileId) == 16);

}  // namespace tarn
