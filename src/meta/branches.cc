#include "meta/branches.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define BRANCH_COLUMNS                                                                         \
    "uid, project_uid, id, state, lineage, source_uid, source_name, source_lsn, source_time, " \
    "is_protected, expire_time, create_time, update_time, state_change_time, delete_time, "    \
    "purge_time, replaced_by, source_snapshot_uid, source_snapshot_name"

BranchRow read(Statement& statement) {
    BranchRow row;
    row.uid = statement.text();
    row.project_uid = statement.text();
    row.id = statement.text();
    row.state = state_of(statement.text());
    row.lineage = statement.text();
    row.source_uid = statement.maybe_text();
    row.source_name = statement.maybe_text();
    row.source_lsn = statement.maybe_lsn();
    row.source_time = statement.maybe_time();
    row.is_protected = statement.flag();
    row.expire_time = statement.maybe_time();
    row.create_time = statement.time();
    row.update_time = statement.time();
    row.state_change_time = statement.time();
    row.delete_time = statement.maybe_time();
    row.purge_time = statement.maybe_time();
    row.replaced_by = statement.maybe_text();
    row.source_snapshot_uid = statement.maybe_text();
    row.source_snapshot_name = statement.maybe_text();
    return row;
}

Result<std::vector<BranchRow>> all(Statement statement) {
    std::vector<BranchRow> rows;
    while (TRY(statement.step())) rows.push_back(read(statement));
    return rows;
}

Result<std::optional<BranchRow>> one(Statement statement) {
    if (!TRY(statement.step())) return std::optional<BranchRow>();
    return std::optional(read(statement));
}

}  // namespace

Result<void> insert_branch(Session& session, const BranchRow& row) {
    return session.connection().run(
        "INSERT INTO branches (" BRANCH_COLUMNS
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.uid, row.project_uid, row.id, name(row.state), row.lineage, row.source_uid,
        row.source_name, row.source_lsn, row.source_time, row.is_protected, row.expire_time,
        row.create_time, row.update_time, row.state_change_time, row.delete_time, row.purge_time,
        row.replaced_by, row.source_snapshot_uid, row.source_snapshot_name);
}

Result<void> update_branch(Session& session, const BranchRow& row) {
    return session.connection().run(
        "UPDATE branches SET state = ?, source_uid = ?, source_name = ?, source_lsn = ?,"
        " source_time = ?, is_protected = ?, expire_time = ?, update_time = ?,"
        " state_change_time = ?, delete_time = ?, purge_time = ?, replaced_by = ?,"
        " source_snapshot_uid = ?, source_snapshot_name = ? WHERE uid = ?",
        name(row.state), row.source_uid, row.source_name, row.source_lsn, row.source_time,
        row.is_protected, row.expire_time, row.update_time, row.state_change_time, row.delete_time,
        row.purge_time, row.replaced_by, row.source_snapshot_uid, row.source_snapshot_name,
        row.uid);
}

Result<void> exchange_lineages(Session& session, const BranchRow& one, const BranchRow& other) {
    constexpr const char* kSet = "UPDATE branches SET lineage = ? WHERE uid = ?";
    Connection& connection = session.connection();
    TRY(connection.run(kSet, "", one.uid));  // no two may ever have the same
    TRY(connection.run(kSet, one.lineage, other.uid));
    return connection.run(kSet, other.lineage, one.uid);
}

Result<void> erase_branch(Session& session, std::string_view uid) {
    Connection& connection = session.connection();
    TRY(connection.run("DELETE FROM snapshot_schedules WHERE branch_uid = ?", uid));
    TRY(connection.run("DELETE FROM databases WHERE branch_uid = ?", uid));
    TRY(connection.run("DELETE FROM roles WHERE branch_uid = ?", uid));
    TRY(connection.run("DELETE FROM endpoints WHERE branch_uid = ?", uid));
    return connection.run("DELETE FROM branches WHERE uid = ?", uid);
}

Result<std::optional<BranchRow>> get_branch(Session& session, std::string_view uid) {
    auto statement =
        TRY(session.connection().prepare("SELECT " BRANCH_COLUMNS " FROM branches WHERE uid = ?"));
    statement.bind(uid);
    return one(std::move(statement));
}

Result<std::optional<BranchRow>> find_branch(Session& session, std::string_view project_uid,
                                             std::string_view id_or_uid) {
    auto statement =
        TRY(session.connection().prepare(
            "SELECT " BRANCH_COLUMNS " FROM branches WHERE project_uid = ?1"
            " AND ((id = ?2 AND delete_time IS NULL) OR uid = ?2) ORDER BY id = ?2 DESC LIMIT 1"));
    statement.bind(project_uid, id_or_uid);
    return one(std::move(statement));
}

Result<std::vector<BranchRow>> list_branches(Session& session, std::string_view project_uid,
                                             std::string_view after_id, std::string_view after_uid,
                                             bool show_deleted, int64_t limit) {
    auto statement =
        TRY(session.connection().prepare(
            "SELECT " BRANCH_COLUMNS " FROM branches WHERE project_uid = ? AND (id, uid) > (?, ?)"
            " AND (state IN ('creating', 'ready') OR (? AND state = 'deleted'))"
            " ORDER BY id, uid LIMIT ?"));
    statement.bind(project_uid, after_id, after_uid, show_deleted, limit);
    return all(std::move(statement));
}

Result<std::vector<BranchRow>> all_branches(Session& session, std::string_view project_uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " BRANCH_COLUMNS " FROM branches WHERE project_uid = ? ORDER BY create_time, uid"));
    statement.bind(project_uid);
    return all(std::move(statement));
}

Result<int64_t> count_branches(Session& session, std::string_view project_uid) {
    auto statement =
        TRY(session.connection().prepare("SELECT count(*) FROM branches WHERE project_uid = ?"));
    statement.bind(project_uid);
    TRY(statement.step());
    return statement.integer();
}

Result<std::vector<BranchRow>> branches_to_expire(Session& session, Time now) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " BRANCH_COLUMNS " FROM branches WHERE state = 'ready' AND expire_time <= ?"));
    statement.bind(now);
    return all(std::move(statement));
}

Result<std::vector<BranchRow>> branches_to_purge(Session& session, Time now) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " BRANCH_COLUMNS " FROM branches WHERE state = 'deleted' AND purge_time <= ?"));
    statement.bind(now);
    return all(std::move(statement));
}

Result<std::vector<BranchRow>> branches_left_behind(Session& session) {
    return all(TRY(session.connection().prepare(
        "SELECT " BRANCH_COLUMNS
        " FROM branches b WHERE state = 'purging' AND NOT EXISTS (SELECT 1 FROM operations o WHERE "
        "o.done = 0 AND o.resource_uid = b.uid) AND NOT EXISTS (SELECT 1 FROM branches r WHERE "
        "r.replaced_by = b.uid)")));
}

Result<int64_t> count_children(Session& session, std::string_view uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT count(*) FROM branches WHERE source_uid = ? AND source_snapshot_uid IS NULL"
        " AND state IN ('creating', 'ready')"));
    statement.bind(uid);
    TRY(statement.step());
    return statement.integer();
}

}  // namespace tarn::meta
