// verify_report.h: what `tarn verify` prints.
#pragma once

#include <map>
#include <string>

#include "compute/verify_store.h"

namespace tarn {

// What a lineage is the storage of, by its id: "branch projects/p/branches/b".
using LineageNames = std::map<std::string, std::string>;

// A line for each damage, orphan and lineage that could not be checked, and a summary.
std::string text_report(const compute::StoreFindings& findings, const LineageNames& names,
                        double seconds);
// The same as one JSON object in one line.
std::string json_report(const compute::StoreFindings& findings, const LineageNames& names,
                        double seconds);

}  // namespace tarn
