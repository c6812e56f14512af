// scratch_branch.h: a branch that nobody sees, opened at a moment to look at it and thrown away.
//
// It takes the same path as every branch, so nothing that runs is read or held up. Its row says
// from the beginning that it is to be purged; an operation for that is recorded at the end, or at
// the next start of the server (Diffs::end_leftovers).
#pragma once

#include <optional>
#include <span>
#include <string>

#include "control/branch_source.h"
#include "control/core.h"
#include "control/lookup.h"

namespace tarn::control {

struct ScratchBranch {
    meta::BranchRow row;
    meta::BranchRow source;
    std::string endpoint_uid;
    compute::BranchPoint point;  // once it is open
};

// Of a branch as it is now, or at the moment that `moment` says. Its id is `prefix` and the
// source's. Written down by write_scratch().
Result<ScratchBranch> draft_scratch(Core& core, const std::string& project,
                                    const std::string& branch, const BranchSource& moment,
                                    const std::string& prefix);
// Answers the project.
Result<meta::ProjectRow> write_scratch(Core& core, const std::string& project,
                                       std::span<const ScratchBranch> branches);
Result<void> open_scratch(Core& core, ScratchBranch& scratch, int pg_major);
void close_scratch(Core& core, std::span<const ScratchBranch> branches);
// Those of an earlier server.
Result<void> purge_left_scratch(Core& core);

}  // namespace tarn::control
