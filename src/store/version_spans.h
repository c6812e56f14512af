// version_spans.h: which of a lineage's restore points see each version of its pages.
//
// Restore points follow each other, and a version that was replaced does not come back: so those
// that see it are a stretch of them. A version that none of the stretch that is left sees is
// nobody's, and its slot can be given back (give_back.h).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "store/format.h"
#include "store/lineage.h"

namespace tarn::store {

// A slot of one of the lineage's logs, and the restore points that show it: places in
// VersionSpans::points, the last one included. One slot may have several.
struct VersionSpan {
    uint32_t incarnation = 0;
    uint32_t first = 0;
    uint32_t last = 0;
    uint32_t bytes = kBlockBytes;  // that the slot's page takes on disk: less where it is packed
    uint64_t slot = 0;
};
static_assert(sizeof(VersionSpan) == 24, "a large history has hundreds of millions of them");

struct VersionSpans {
    std::vector<RestorePointId> points;  // in the order in which they were made
    std::vector<VersionSpan> spans;
};

// Reads the restore points, the entries of packed files, and each of the indexes (once, as long as
// one restore point follows the other). An error if one cannot be read: then nothing is known.
Result<VersionSpans> version_spans(const Store& store, std::vector<RestorePointId> points);

}  // namespace tarn::store
