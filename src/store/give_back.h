// give_back.h: returns the space of page versions that nobody can see any more to the file system.
//
// Bytes of a slot never change, but they may go: as holes in the log's files, or with whole
// segments. What stays is what some restore point of the lineage shows, and what the running
// incarnation may have in hand: slots since the newest restore point, and the holes of that one.
//
// Invariants
//   G1  a slot goes only if no restore point that is left, or that a power cut could bring back,
//       shows it. [power_loss_test.cc, GiveBackTest.WhatARestorePointShowsStays]
//   G2  a slot that the running incarnation may read or write stays: the newest restore point shows
//       it, or it is one of its holes or behind its seal (docs/formats/index.md, 6).
//       [power_loss_test.cc, GiveBackTest.WhatIsNotInARestorePointYetStays,
//       Racing.CopiesNeverHideAWriteOrBringOneBack]
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "base/result.h"
#include "store/lineage.h"
#include "store/version_spans.h"

namespace tarn::store {

class GiveBack {
  public:
    // `spans` is of all the lineage's restore points; those that have gone since do not count any
    // more. A compute may be running and sealing, and branches be made. Once a segment is as it
    // should be it is not looked at again before that changes: that is what the object remembers.
    Result<void> run(const Store& store, uint64_t lineage, const VersionSpans& spans);

  private:
    using Segment = std::pair<LogId, uint64_t>;
    std::map<Segment, uint64_t> done_;  // a checksum of what stayed of it
};

}  // namespace tarn::store
