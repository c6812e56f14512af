// restores.h: a branch goes back to a moment, or becomes what its parent is.
//
// Both make a new branch of the wanted moment, let it change places with the one that is restored,
// and keep what was there before under the new one's id, or throw it away. Endpoints, hosts, roles
// and children stay with the branch; open sessions end (57P01). Until the two change places, in
// the transaction that ends the operation, the branch is what it was: an operation that fails
// leaves it so.
#pragma once

#include <optional>
#include <string>

#include "control/branch_source.h"
#include "control/core.h"

namespace tarn::control {

struct RestoreDraft {
    std::string project;
    std::string branch;
    // restore: of the branch itself at a moment, unless another one is named. reset: of its
    // parent, now or at a moment.
    BranchSource source;
    // Is the state before kept as a branch? As it comes, a restore keeps it and a reset does not.
    std::optional<bool> preserve;
    std::string preserved_id;  // of that branch; "" for "<branch>-until-<date>-<time>"
};

class Restores {
  public:
    explicit Restores(Core& core) : core_(core) {}

    Result<meta::OperationRow> restore(const RestoreDraft& draft);
    Result<meta::OperationRow> reset(const RestoreDraft& draft);

  private:
    Result<meta::OperationRow> replace(const RestoreDraft& draft, OperationKind kind);
    Result<std::optional<PastPoint>> find_point(const RestoreDraft& draft, OperationKind kind);
    Result<meta::OperationRow> insert(meta::Session& session, const RestoreDraft& draft,
                                      OperationKind kind, const std::optional<PastPoint>& past);
    Result<meta::BranchRow> insert_replacement(meta::Session& session, const FoundBranch& found,
                                               const RestoreDraft& draft, OperationKind kind,
                                               const std::optional<PastPoint>& past);

    Core& core_;
};

// The end of a restore or reset: the branch gets the storage of `replacement`, which was made of
// `point`, and the other way round; what is not to be preserved is left to an operation of its own.
Result<void> change_places(Core& core, meta::Session& session, const FoundBranch& found,
                           const meta::BranchRow& replacement, compute::BranchPoint point,
                           OperationKind kind);

// The end of one that failed: the branch stays what it was, and what was made for it goes.
Result<void> abandon_replacement(Core& core, meta::Session& session, const std::string& branch_uid);

}  // namespace tarn::control
