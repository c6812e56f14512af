#include "meta/branches.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define BRANCH_COLUMNS                                                                         \
    "uid, project_uid, id, state, lineage, source_uid, source_name, source_lsn, source_time, " \
    "is_protected, expire_time, create_time, update_time, state_change_time, delete_time, "    \
    "purge_time"

// SQLite's integers are signed; an LSN above 2^63 goes round and comes back.
std::optional<int64_t> stored(std::optional<Lsn> lsn) {
    if (!lsn) return std::nullopt;
    return static_cast<int64_t>(lsn->value);
}

BranchRow read(Statement& statement) {
    BranchRow row;
    row.uid = statement.text();
    row.project_uid = statement.text();
    row.id = statement.text();
    row.state = state_of(statement.text());
    row.lineage = statement.text();
    row.source_uid = statement.maybe_text();
    row.source_name = statement.maybe_text();
    if (auto lsn = statement.maybe_integer()) row.source_lsn = Lsn{static_cast<uint64_t>(*lsn)};
    row.source_time = statement.maybe_time();
    row.is_protected = statement.flag();
    row.expire_time = statement.maybe_time();
    row.create_time = statement.time();
    row.update_time = statement.time();
    row.state_change_time = statement.time();
    row.delete_time = statement.maybe_time();
    row.purge_time = statement.maybe_time();
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
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.uid, row.project_uid, row.id, name(row.state), row.lineage, row.source_uid,
        row.source_name, stored(row.source_lsn), row.source_time, row.is_protected, row.expire_time,
        row.create_time, row.update_time, row.state_change_time, row.delete_time, row.purge_time);
}

Result<void> update_branch(Session& session, const BranchRow& row) {
    return session.connection().run(
        "UPDATE branches SET state = ?, source_lsn = ?, source_time = ?, is_protected = ?,"
        " expire_time = ?, update_time = ?, state_change_time = ?, delete_time = ?,"
        " purge_time = ? WHERE uid = ?",
        name(row.state), stored(row.source_lsn), row.source_time, row.is_protected, row.expire_time,
        row.update_time, row.state_change_time, row.delete_time, row.purge_time, row.uid);
}

Result<void> erase_branch(Session& session, std::string_view uid) {
    Connection& connection = session.connection();
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

Result<int64_t> count_children(Session& session, std::string_view uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT count(*) FROM branches WHERE source_uid = ? AND state IN ('creating', 'ready')"));
    statement.bind(uid);
    TRY(statement.step());
    return statement.integer();
}

}  // namespace tarn::meta
