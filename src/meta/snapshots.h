// snapshots.h: what was kept of a branch at a moment, and when that is done by itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lsn.h"
#include "base/time.h"
#include "meta/meta.h"
#include "meta/state.h"

namespace tarn::meta {

struct SnapshotRow {
    std::string uid;  // "snap-..."
    std::string project_uid;
    std::string id;
    State state = State::creating;
    std::string lineage;      // its storage
    std::string source_uid;   // the branch it is of; that one may be purged before
    std::string source_name;  // its name then
    std::optional<Lsn> source_lsn;
    std::optional<Time> source_time;
    bool is_scheduled = false;
    std::optional<Time> expire_time;
    Time create_time;
};

struct SnapshotScheduleRow {
    std::string branch_uid;
    std::string cadences;  // JSON
    Time since;            // what was due by then has been taken
};

Result<void> insert_snapshot(Session& session, const SnapshotRow& row);
Result<void> update_snapshot(Session& session, const SnapshotRow& row);  // state and moment
Result<void> erase_snapshot(Session& session, std::string_view uid);
Result<std::optional<SnapshotRow>> get_snapshot(Session& session, std::string_view uid);
Result<std::optional<SnapshotRow>> find_snapshot(Session& session, std::string_view project_uid,
                                                 std::string_view id_or_uid);
// Those that can be seen, in order of their ids, beginning after one.
Result<std::vector<SnapshotRow>> list_snapshots(Session& session, std::string_view project_uid,
                                                std::string_view after_id, int64_t limit);
// Every snapshot of the project, whatever its state.
Result<std::vector<SnapshotRow>> all_snapshots(Session& session, std::string_view project_uid);
Result<std::vector<SnapshotRow>> snapshots_to_expire(Session& session, Time now);

Result<void> put_snapshot_schedule(Session& session, const SnapshotScheduleRow& row);
Result<std::optional<SnapshotScheduleRow>> get_snapshot_schedule(Session& session,
                                                                 std::string_view branch_uid);
Result<std::vector<SnapshotScheduleRow>> all_snapshot_schedules(Session& session);

}  // namespace tarn::meta
