#include "meta/roles.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define ROLE_VALUES                                                                    \
    "id, postgres_role, identity_type, auth_method, createdb, createrole, bypassrls, " \
    "is_superuser, create_time, update_time"

RoleRow read(Statement& statement) {
    RoleRow row;
    row.branch_uid = statement.text();
    row.id = statement.text();
    row.postgres_role = statement.text();
    row.identity_type = statement.text();
    row.auth_method = statement.text();
    row.createdb = statement.flag();
    row.createrole = statement.flag();
    row.bypassrls = statement.flag();
    row.is_superuser = statement.flag();
    row.create_time = statement.time();
    row.update_time = statement.time();
    return row;
}

}  // namespace

Result<void> insert_role(Session& session, const RoleRow& row) {
    return session.connection().run(
        "INSERT INTO roles (branch_uid, " ROLE_VALUES ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.branch_uid, row.id, row.postgres_role, row.identity_type, row.auth_method, row.createdb,
        row.createrole, row.bypassrls, row.is_superuser, row.create_time, row.update_time);
}

Result<std::optional<RoleRow>> find_role(Session& session, std::string_view branch_uid,
                                         std::string_view id) {
    auto statement = TRY(session.connection().prepare(
        "SELECT branch_uid, " ROLE_VALUES " FROM roles WHERE branch_uid = ? AND id = ?"));
    statement.bind(branch_uid, id);
    if (!TRY(statement.step())) return std::optional<RoleRow>();
    return std::optional(read(statement));
}

Result<std::vector<RoleRow>> list_roles(Session& session, std::string_view branch_uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT branch_uid, " ROLE_VALUES " FROM roles WHERE branch_uid = ? ORDER BY id"));
    statement.bind(branch_uid);
    std::vector<RoleRow> rows;
    while (TRY(statement.step())) rows.push_back(read(statement));
    return rows;
}

Result<void> copy_roles(Session& session, std::string_view from_branch,
                        std::string_view to_branch) {
    return session.connection().run("INSERT INTO roles (branch_uid, " ROLE_VALUES
                                    ") SELECT ?, " ROLE_VALUES " FROM roles WHERE branch_uid = ?",
                                    to_branch, from_branch);
}

}  // namespace tarn::meta
