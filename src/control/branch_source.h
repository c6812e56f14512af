// branch_source.h: what the storage of a branch is made from: another branch, as it is now or as it
// was at a moment, or a snapshot.
#pragma once

#include <optional>
#include <string>

#include "control/core.h"
#include "control/lookup.h"
#include "meta/snapshots.h"

namespace tarn::control {

struct BranchSource {
    std::string branch;         // a name; "" leaves the choice to the rule of what is made
    std::optional<Lsn> at_lsn;  // a moment in its past: one of the two, or neither
    std::optional<Time> at_time;
    std::string snapshot;  // a name; "" for none. Not together with the others
    bool is_past() const { return at_lsn || at_time; }
};

// A moment of the past, and the storage that it was found in.
struct PastPoint {
    compute::LineageId lineage;
    compute::BranchPoint point;
    // Is it still the branch's? Another default branch may have been chosen since, or the branch
    // been restored.
    bool is_of(const meta::BranchRow& branch) const {
        return branch.lineage == lineage && !branch.replaced_by;
    }
};

// The live branch that `name`, the value of request field `field`, means; of the same project.
Result<meta::BranchRow> branch_named(meta::Session& session, const meta::ProjectRow& project,
                                     const std::string& field, const std::string& name);

// The snapshot that `name`, the value of request field `field`, means; of the same project, and
// made.
Result<meta::SnapshotRow> snapshot_named(meta::Session& session, const meta::ProjectRow& project,
                                         const std::string& field, const std::string& name);
// Puts into the row that it is made from the branch, at a moment if one was found; conflict if that
// is not the branch's any more.
Result<void> set_source_branch(meta::BranchRow& row, const meta::BranchRow& source,
                               const meta::ProjectRow& project,
                               const std::optional<PastPoint>& past);
// Puts into the row that it is made from the snapshot.
void set_source_snapshot(meta::BranchRow& row, const meta::SnapshotRow& snapshot,
                         const meta::ProjectRow& project);

// Is the moment one that the project could have? Only the storage knows more.
Result<void> check_moment(const BranchSource& source, const meta::ProjectRow& project, Time now);

// Where the moment of a source lies, so that one that cannot be opened is refused at the call and
// not found out by its operation. Not inside a transaction: it reads WAL.
Result<PastPoint> find_past_point(Core& core, const meta::BranchRow& branch,
                                  const BranchSource& source);

}  // namespace tarn::control
