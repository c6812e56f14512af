// birth.h: makes lineages: roots as copies of a template, branches as copies of a parent at a
// moment. Neither copies a page: an incarnation is prepared that begins from somebody else's
// restore point and has its own copy of the WAL after it.
//
// Crash: the record of the incarnation is written last; a lineage without one is made again.
#pragma once

#include "base/result.h"
#include "compute/computes.h"
#include "store/lineage.h"

namespace tarn::compute {

// Makes `lineage` a copy of the template `from`, with a system identifier of its own.
Result<void> make_root(store::Store& store, uint64_t lineage, uint64_t from);

// Makes `lineage` a child of `parent` as it was at a moment. Answers where it begins. Whatever the
// parent does meanwhile: what was durable when this was called is in a child of the newest moment.
// Fails as find_moment() does.
Result<BranchPoint> make_branch(store::Store& store, uint64_t lineage, uint64_t parent,
                                const Moment& moment);

// How much WAL a branch made now would have to replay, in bytes.
Result<uint64_t> replay_distance(const store::Store& store, uint64_t lineage);

// Is the lineage there, whole?
bool is_made(const store::Store& store, uint64_t lineage);

}  // namespace tarn::compute
