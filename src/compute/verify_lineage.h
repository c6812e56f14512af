// verify_lineage.h: reads all that the moments of one lineage rest on.
//
// Records, restore points with their indexes and pages (store/verify.h), and the WAL from where
// history is kept. Works beside a running compute and server: while it reads, it holds the
// lineage's history, so that nothing is removed.
//
// Invariants
//   V1  a lineage without damage can be opened at each moment that is kept, and each of its
//       restore points reads back; damage is told with all the moments that rest on it.
//       [VerifyTest.EachKindOfDamageIsNamed]
//   V2  nothing is written, but that history.lock is made where it is missing.
//       [VerifyTest.NothingIsChanged]
#pragma once

#include <optional>

#include "base/result.h"
#include "compute/verify_findings.h"
#include "store/lineage.h"
#include "store/verify.h"

namespace tarn::compute {

// Nothing if the lineage was removed meanwhile. An error only if it could not be looked at.
Result<std::optional<LineageFindings>> verify_lineage(const store::Store& store,
                                                      store::Verifier& verifier, uint64_t lineage);

}  // namespace tarn::compute
