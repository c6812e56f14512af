// import.h: takes a stock cluster's files into the store: the inverse of an export.
#pragma once

#include <string>

#include "base/result.h"
#include "store/lineage.h"

namespace tarn::compute {

// Imports the cleanly shut down cluster at `pgdata` as the first seal of `lineage`, which is made.
Result<store::RestorePoint> import_cluster(store::Store& store, const std::string& pgdata,
                                           uint64_t lineage);

}  // namespace tarn::compute
