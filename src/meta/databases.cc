#include "meta/databases.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define DATABASE_VALUES "id, postgres_database, role_id, create_time, update_time"

DatabaseRow read(Statement& statement) {
    DatabaseRow row;
    row.branch_uid = statement.text();
    row.id = statement.text();
    row.postgres_database = statement.text();
    row.role_id = statement.text();
    row.create_time = statement.time();
    row.update_time = statement.time();
    return row;
}

}  // namespace

Result<void> insert_database(Session& session, const DatabaseRow& row) {
    return session.connection().run("INSERT INTO databases (branch_uid, " DATABASE_VALUES
                                    ") VALUES (?, ?, ?, ?, ?, ?)",
                                    row.branch_uid, row.id, row.postgres_database, row.role_id,
                                    row.create_time, row.update_time);
}

Result<std::optional<DatabaseRow>> find_database(Session& session, std::string_view branch_uid,
                                                 std::string_view id) {
    auto statement = TRY(session.connection().prepare(
        "SELECT branch_uid, " DATABASE_VALUES " FROM databases WHERE branch_uid = ? AND id = ?"));
    statement.bind(branch_uid, id);
    if (!TRY(statement.step())) return std::optional<DatabaseRow>();
    return std::optional(read(statement));
}

Result<std::vector<DatabaseRow>> list_databases(Session& session, std::string_view branch_uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT branch_uid, " DATABASE_VALUES " FROM databases WHERE branch_uid = ? ORDER BY id"));
    statement.bind(branch_uid);
    std::vector<DatabaseRow> rows;
    while (TRY(statement.step())) rows.push_back(read(statement));
    return rows;
}

Result<void> copy_databases(Session& session, std::string_view from_branch,
                            std::string_view to_branch) {
    return session.connection().run("INSERT INTO databases (branch_uid, " DATABASE_VALUES
                                    ") SELECT ?, " DATABASE_VALUES
                                    " FROM databases WHERE branch_uid = ?",
                                    to_branch, from_branch);
}

}  // namespace tarn::meta
