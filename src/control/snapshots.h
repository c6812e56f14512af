// snapshots.h: what callers may do with snapshots: a branch's state at a moment, kept for as long
// as is wanted, whatever becomes of the branch and of its history.
//
// A snapshot is storage like a branch's that nothing ever runs on: branches and restores are made
// from it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/branch_source.h"
#include "control/cadence.h"
#include "control/core.h"
#include "control/expiration.h"
#include "control/views.h"

namespace tarn::control {

struct SnapshotDraft {
    std::string project;
    std::string id;
    BranchSource source;
    std::optional<Expiration> expiration;  // nothing: never
};

class Snapshots {
  public:
    explicit Snapshots(Core& core) : core_(core) {}

    Result<meta::OperationRow> create(const SnapshotDraft& draft);
    Result<SnapshotView> get(const std::string& project, const std::string& id);
    Result<SnapshotView> get_by_uid(const std::string& uid);
    // Begins after `after_id`.
    Result<Page<SnapshotView>> list(const std::string& project, const std::string& after_id,
                                    size_t limit);
    Result<meta::OperationRow> remove(const std::string& project, const std::string& id);
    // The end of a snapshot whose time has come.
    Result<void> expire(const std::string& uid);

    // When snapshots of a branch are taken by themselves; empty: never.
    Result<SnapshotScheduleView> schedule(const std::string& project, const std::string& branch);
    Result<SnapshotScheduleView> schedule_by_uid(const std::string& branch_uid);
    // In place of all that there were; what is due from now on is taken.
    Result<meta::OperationRow> set_schedule(const std::string& project, const std::string& branch,
                                            const std::vector<Cadence>& cadences);
    // Takes what has become due, of the moment when it was; also after the server was down.
    void take_due();

  private:
    Result<std::optional<PastPoint>> find_point(const SnapshotDraft& draft);
    Result<meta::OperationRow> insert(meta::Session& session, const SnapshotDraft& draft,
                                      const std::optional<PastPoint>& past, bool is_scheduled);
    Result<meta::OperationRow> drop(meta::Session& session, meta::SnapshotRow row);
    Result<void> take_due_of(const meta::SnapshotScheduleRow& schedule);
    Result<void> insert_due(meta::Session& session, SnapshotDraft draft, const PastPoint& past);
    SnapshotView view(const std::string& project_id, meta::SnapshotRow row) const;

    Core& core_;
};

}  // namespace tarn::control
