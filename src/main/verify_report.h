// verify_report.h: what `tarn verify` prints.
#pragma once

#include <string>

#include "compute/verify_store.h"

namespace tarn {

// A line for each damage, orphan and lineage that could not be checked, and a summary.
std::string text_report(const compute::StoreFindings& findings, double seconds);
// The same as one JSON object in one line.
std::string json_report(const compute::StoreFindings& findings, double seconds);

}  // namespace tarn
