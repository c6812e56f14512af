// branches.h: what callers may do with branches.
#pragma once

#include <optional>
#include <string>

#include "control/branch_source.h"
#include "control/core.h"
#include "control/expiration.h"
#include "control/views.h"

namespace tarn::control {

struct BranchPatch {
    std::optional<bool> is_protected;
    std::optional<Expiration> expiration;
};

struct BranchDraft {
    std::string project;
    std::string id;
    BranchSource source;  // as it comes, the project's default branch
    BranchPatch values;
    bool replace_existing = false;
};

class Branches {
  public:
    explicit Branches(Core& core) : core_(core) {}

    Result<meta::OperationRow> create(const BranchDraft& draft);
    Result<BranchView> get(const std::string& project, const std::string& id);
    Result<BranchView> get_by_uid(const std::string& uid);  // whatever its state
    // Begins after the branch (after_id, after_uid).
    Result<Page<BranchView>> list(const std::string& project, const std::string& after_id,
                                  const std::string& after_uid, bool show_deleted, size_t limit);
    Result<meta::OperationRow> update(const std::string& project, const std::string& id,
                                      const BranchPatch& patch);
    // Keeps it for undelete, unless `purge`; then one that was deleted before goes too, if `id` is
    // its uid.
    Result<meta::OperationRow> remove(const std::string& project, const std::string& id,
                                      bool purge);
    // The record of a delete that found nothing, for callers that do not mind.
    Result<meta::OperationRow> remove_missing(const std::string& project, const std::string& id);
    Result<meta::OperationRow> undelete(const std::string& project, const std::string& id);

    // The end of a branch whose time has come; its record is an ordinary delete.
    Result<void> expire(const std::string& uid);
    // The end of a deleted branch.
    Result<void> purge_deleted(const std::string& uid);

  private:
    Result<std::optional<PastPoint>> find_point(const BranchDraft& draft);
    Result<meta::OperationRow> insert(meta::Session& session, const BranchDraft& draft,
                                      const std::optional<PastPoint>& past);
    Result<meta::OperationRow> apply(meta::Session& session, const meta::ProjectRow& project,
                                     meta::BranchRow row, const BranchPatch& patch);
    Result<meta::OperationRow> drop(meta::Session& session, const meta::ProjectRow& project,
                                    meta::BranchRow row, bool purge);
    Result<meta::OperationRow> purge_now(meta::Session& session, const meta::ProjectRow& project,
                                         meta::BranchRow row);
    BranchView view(const meta::ProjectRow& project, const meta::BranchRow& row) const;

    Core& core_;
};

// Writes a new branch down, with a primary endpoint and with the roles and databases of the branch
// `like`. quota_exceeded if the project can have no more.
Result<void> insert_branch_like(Core& core, meta::Session& session, const meta::ProjectRow& project,
                                const meta::BranchRow& row, const std::string& like);

}  // namespace tarn::control
