// lost_records.h: what is left of lineages and incarnations whose record is gone.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "store/lineage.h"

namespace tarn::compute {

// Incarnations that have run and have no record. `known` have one.
Result<std::vector<uint32_t>> incarnations_without_record(const store::Store& store,
                                                          uint64_t lineage,
                                                          const std::vector<uint32_t>& known);

// Was something in it that can be opened? In an import that was cut short there was not.
Result<bool> was_made(const store::Store& store, uint64_t lineage);

// It has no record, and is neither being made nor removed.
Result<bool> has_lost_record(const store::Store& store, uint64_t lineage);

// It has been removed.
Result<bool> is_gone(const store::Store& store, uint64_t lineage);

}  // namespace tarn::compute
