// verify_lineage.h: reads all that the moments of one lineage rest on.
//
// Records, restore points with their indexes and pages (store/verify.h), and the WAL from where
// history is kept. Works beside a running compute and server: while it reads, it holds the
// lineage's history, so that nothing is removed.
//
// Invariants
//   V1  a lineage without damage can be opened at each moment that is kept, and each of its
//       restore points reads back; damage is told with all the moments that rest on it.
//       [VerifyTest.EachKindOfDamageIsNamed, VerifyTest.AMissingRecordIsNamed,
//       VerifyTest.ALineageWithNothingToOpenIsNotWhole]
//   V2  nothing is written, but that history.lock is made where it is missing.
//       [VerifyTest.NothingIsChanged]
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "compute/verify_findings.h"
#include "store/lineage.h"
#include "store/verify.h"

namespace tarn::compute {

// All lineages that have a record, and those that have lost it: not those that are being made or
// removed.
Result<std::vector<uint64_t>> lineages_to_verify(const store::Store& store);

// Nothing if the lineage was removed meanwhile. An error only if it could not be looked at;
// unavailable if nothing is in it yet, as in one whose making was cut short.
Result<std::optional<LineageFindings>> verify_lineage(const store::Store& store,
                                                      store::Verifier& verifier, uint64_t lineage);

}  // namespace tarn::compute
