// page_changes.h: what differs between two lineages as their newest restore points have them, in
// PostgreSQL's terms.
#pragma once

#include "pg/page_changes.h"
#include "store/lineage.h"

namespace tarn::compute {

Result<pg::PageChanges> page_changes(const store::Store& store, uint64_t one, uint64_t other);

}  // namespace tarn::compute
