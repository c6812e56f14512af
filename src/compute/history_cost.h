// history_cost.h: what a lineage's history takes, and what of it others keep.
#pragma once

#include <vector>

#include "compute/computes.h"
#include "compute/thinning.h"
#include "store/lineage.h"
#include "store/origins.h"

namespace tarn::compute {

// A lineage's restore points and what they show, as the last round of thinning has left them.
struct MeasuredHistory {
    std::vector<store::RestorePointId> ids;  // in the order in which they were made
    std::vector<HistoryPoint> points;
    Stretches stretches;  // of places in the two above
    uint64_t size = 0;    // of the branch, in bytes
    std::vector<bool> stays;
    Time measured;
};

// `named`: whose records name which of them.
HistoryCost cost_of(const MeasuredHistory& history, const store::Origins::Named& named);

// All files of WAL that its incarnations have.
uint64_t wal_bytes_of(const store::Store& store, uint64_t lineage);

}  // namespace tarn::compute
