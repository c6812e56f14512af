#include "meta/snapshots.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define SNAPSHOT_COLUMNS                                                                       \
    "uid, project_uid, id, state, lineage, source_uid, source_name, source_lsn, source_time, " \
    "is_scheduled, expire_time, create_time"

SnapshotRow read(Statement& statement) {
    SnapshotRow row;
    row.uid = statement.text();
    row.project_uid = statement.text();
    row.id = statement.text();
    row.state = state_of(statement.text());
    row.lineage = statement.text();
    row.source_uid = statement.text();
    row.source_name = statement.text();
    row.source_lsn = statement.maybe_lsn();
    row.source_time = statement.maybe_time();
    row.is_scheduled = statement.flag();
    row.expire_time = statement.maybe_time();
    row.create_time = statement.time();
    return row;
}

Result<std::vector<SnapshotRow>> all(Statement statement) {
    std::vector<SnapshotRow> rows;
    while (TRY(statement.step())) rows.push_back(read(statement));
    return rows;
}

Result<std::optional<SnapshotRow>> one(Statement statement) {
    if (!TRY(statement.step())) return std::optional<SnapshotRow>();
    return std::optional(read(statement));
}

SnapshotScheduleRow read_schedule(Statement& statement) {
    SnapshotScheduleRow row;
    row.branch_uid = statement.text();
    row.cadences = statement.text();
    row.since = statement.time();
    return row;
}

}  // namespace

Result<void> insert_snapshot(Session& session, const SnapshotRow& row) {
    return session.connection().run(
        "INSERT INTO snapshots (" SNAPSHOT_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.uid, row.project_uid, row.id, name(row.state), row.lineage, row.source_uid,
        row.source_name, row.source_lsn, row.source_time, row.is_scheduled, row.expire_time,
        row.create_time);
}

Result<void> update_snapshot(Session& session, const SnapshotRow& row) {
    return session.connection().run(
        "UPDATE snapshots SET state = ?, source_lsn = ?, source_time = ? WHERE uid = ?",
        name(row.state), row.source_lsn, row.source_time, row.uid);
}

Result<void> erase_snapshot(Session& session, std::string_view uid) {
    return session.connection().run("DELETE FROM snapshots WHERE uid = ?", uid);
}

Result<std::optional<SnapshotRow>> get_snapshot(Session& session, std::string_view uid) {
    auto statement = TRY(
        session.connection().prepare("SELECT " SNAPSHOT_COLUMNS " FROM snapshots WHERE uid = ?"));
    statement.bind(uid);
    return one(std::move(statement));
}

Result<std::optional<SnapshotRow>> find_snapshot(Session& session, std::string_view project_uid,
                                                 std::string_view id_or_uid) {
    auto statement =
        TRY(session.connection().prepare(
            "SELECT " SNAPSHOT_COLUMNS " FROM snapshots WHERE project_uid = ?1"
            " AND (id = ?2 OR uid = ?2) ORDER BY id = ?2 DESC LIMIT 1"));
    statement.bind(project_uid, id_or_uid);
    return one(std::move(statement));
}

Result<std::vector<SnapshotRow>> list_snapshots(Session& session, std::string_view project_uid,
                                                std::string_view after_id, int64_t limit) {
    auto statement =
        TRY(session.connection().prepare(
            "SELECT " SNAPSHOT_COLUMNS " FROM snapshots WHERE project_uid = ? AND id > ?"
            " AND state IN ('creating', 'ready') ORDER BY id LIMIT ?"));
    statement.bind(project_uid, after_id, limit);
    return all(std::move(statement));
}

Result<std::vector<SnapshotRow>> all_snapshots(Session& session, std::string_view project_uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " SNAPSHOT_COLUMNS
        " FROM snapshots WHERE project_uid = ? ORDER BY create_time, uid"));
    statement.bind(project_uid);
    return all(std::move(statement));
}

Result<std::vector<SnapshotRow>> snapshots_to_expire(Session& session, Time now) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " SNAPSHOT_COLUMNS " FROM snapshots WHERE state = 'ready' AND expire_time <= ?"));
    statement.bind(now);
    return all(std::move(statement));
}

Result<void> put_snapshot_schedule(Session& session, const SnapshotScheduleRow& row) {
    return session.connection().run(
        "INSERT INTO snapshot_schedules (branch_uid, cadences, since) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (branch_uid) DO UPDATE SET cadences = ?2, since = ?3",
        row.branch_uid, row.cadences, row.since);
}

Result<std::optional<SnapshotScheduleRow>> get_snapshot_schedule(Session& session,
                                                                 std::string_view branch_uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT branch_uid, cadences, since FROM snapshot_schedules WHERE branch_uid = ?"));
    statement.bind(branch_uid);
    if (!TRY(statement.step())) return std::optional<SnapshotScheduleRow>();
    return std::optional(read_schedule(statement));
}

Result<std::vector<SnapshotScheduleRow>> all_snapshot_schedules(Session& session) {
    auto statement = TRY(session.connection().prepare(
        "SELECT branch_uid, cadences, since FROM snapshot_schedules ORDER BY branch_uid"));
    std::vector<SnapshotScheduleRow> rows;
    while (TRY(statement.step())) rows.push_back(read_schedule(statement));
    return rows;
}

}  // namespace tarn::meta
