// lost_records.h: what is left of lineages and incarnations whose record is gone.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "base/result.h"
#include "compute/computes.h"
#include "store/lineage.h"

namespace tarn::compute {

// Incarnations that have run and have no record. `known` have one.
Result<std::vector<uint32_t>> incarnations_without_record(const store::Store& store,
                                                          uint64_t lineage,
                                                          const std::vector<uint32_t>& known);

// data_loss if the newest that has run is not among `known`, those with a record: what would be
// taken for the newest state lacks all that was committed in it.
Result<void> check_newest_is_known(const store::Store& store, uint64_t lineage,
                                   const std::vector<uint32_t>& known);
// data_loss if any of them has lost its record: then nobody knows what it needs.
Result<void> check_all_are_known(const store::Store& store, uint64_t lineage,
                                 const std::vector<uint32_t>& known);

// Removes what a making that was cut short has left of a lineage. data_loss, and nothing is
// removed, if there is something in it that was made.
Result<void> remove_attempt(store::Store& store, uint64_t lineage);

// Was something in it that can be opened? In an import that was cut short there was not.
Result<bool> was_made(const store::Store& store, uint64_t lineage);

// It has no record, and is neither being made nor removed.
Result<bool> has_lost_record(const store::Store& store, uint64_t lineage);

// It has been removed.
Result<bool> is_gone(const store::Store& store, uint64_t lineage);

// Of `lineages`, those that hold something, are not dropped, and are none of `named`: list them
// before you ask who is named.
Result<std::vector<uint64_t>> unnamed_among(const store::Store& store,
                                            const std::vector<uint64_t>& lineages,
                                            const std::set<LineageId>& named);

}  // namespace tarn::compute
