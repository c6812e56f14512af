// page_changes.h: which blocks of their tables differ between two clusters that have a past in
// common. The page store finds out, and whoever compares rows is spared the others.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/block_range.h"

namespace tarn::pg {

struct PageChanges {
    using Relation = std::pair<uint32_t, uint32_t>;  // oid of the database, number of the file
    // Of a main fork. All its blocks if the two files of this number are not one that both sides
    // inherited.
    struct Blocks {
        std::vector<BlockRange> not_shared;  // ascending and apart
        uint64_t changed = 0;                // how many of these have different bytes
    };
    std::map<Relation, Blocks> relations;
    // Has every transaction whose traces may lie in a shared block the same fate on both sides? If
    // not, a shared block may show other rows.
    bool same_fates = false;
};

}  // namespace tarn::pg
