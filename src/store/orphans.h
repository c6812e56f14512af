// orphans.h: files of the store that nothing names: what crashes have left until somebody sweeps,
// and what does not belong here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/lineage.h"

namespace tarn::store {

struct Orphan {
    std::string path;
    std::string why;
    uint64_t bytes = 0;
};

// Beside `lineages`, and in it.
Result<std::vector<Orphan>> orphans_of_store(const Store& store);

// Of one lineage, whose restore points can all be read. `is_named` says of an index whether one of
// them named it a moment ago; a compute that `runs` has files in the making, which are left out.
Result<std::vector<Orphan>> orphans_of_lineage(
    const Store& store, uint64_t lineage, bool runs,
    const std::function<bool(const IndexRef&)>& is_named);

// Of a file, or of all files below a directory; what goes meanwhile does not count.
uint64_t bytes_below(sys::Disk& disk, const std::string& path);

}  // namespace tarn::store
