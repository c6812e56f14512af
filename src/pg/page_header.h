// page_header.h: the two facts about a relation's page that Tarn needs.
#pragma once

#include "base/bytes.h"

namespace tarn::pg {

inline constexpr size_t kPageSize = 8192;

// `page` must hold kPageSize bytes in both.

// PostgreSQL's PageIsNew: allocated, but never initialised. Such a page has no LSN.
inline bool page_is_new(const void* page) {
    return load<uint16_t>(page, 14) == 0;
}

// The end of the last record that changed the page. Free-space pages keep it 0, and hint bits do
// not move it: never take it for a bound of what the page holds.
inline uint64_t page_lsn(const void* page) {
    return uint64_t{load<uint32_t>(page, 0)} << 32 | load<uint32_t>(page, 4);
}

}  // namespace tarn::pg
