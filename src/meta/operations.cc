#include "meta/operations.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define OPERATION_VALUES                                                     \
    "id, kind, resource_name, resource_uid, project_uid, done, error_code, " \
    "error_message, create_time, finish_time, preserved_branch"

OperationRow read(Statement& statement) {
    OperationRow row;
    row.seq = statement.integer();
    row.id = statement.text();
    row.kind = statement.text();
    row.resource_name = statement.text();
    row.resource_uid = statement.text();
    row.project_uid = statement.text();
    row.done = statement.flag();
    row.error_code = statement.maybe_text();
    row.error_message = statement.maybe_text();
    row.create_time = statement.time();
    row.finish_time = statement.maybe_time();
    row.preserved_branch = statement.maybe_text();
    return row;
}

}  // namespace

Result<OperationRow> insert_operation(Session& session, OperationRow row) {
    auto statement = TRY(
        session.connection().prepare("INSERT INTO operations (" OPERATION_VALUES
                                     ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq"));
    statement.bind(row.id, row.kind, row.resource_name, row.resource_uid, row.project_uid, row.done,
                   row.error_code, row.error_message, row.create_time, row.finish_time,
                   row.preserved_branch);
    TRY(statement.step());
    row.seq = statement.integer();
    TRY(statement.step());
    return row;
}

Result<std::optional<OperationRow>> find_operation(Session& session, std::string_view id) {
    auto statement = TRY(session.connection().prepare("SELECT seq, " OPERATION_VALUES
                                                      " FROM operations WHERE id = ?"));
    statement.bind(id);
    if (!TRY(statement.step())) return std::optional<OperationRow>();
    return std::optional(read(statement));
}

Result<std::vector<OperationRow>> pending_operations(Session& session) {
    auto statement = TRY(session.connection().prepare(
        "SELECT seq, " OPERATION_VALUES " FROM operations WHERE done = 0 ORDER BY seq"));
    std::vector<OperationRow> rows;
    while (TRY(statement.step())) rows.push_back(read(statement));
    return rows;
}

Result<void> set_operation_error(Session& session, std::string_view id, std::string_view code,
                                 std::string_view message) {
    return session.connection().run(
        "UPDATE operations SET error_code = ?, error_message = ? WHERE id = ?", code, message, id);
}

Result<void> finish_operation(Session& session, std::string_view id, Time now) {
    return session.connection().run("UPDATE operations SET done = 1, finish_time = ? WHERE id = ?",
                                    now, id);
}

Result<void> erase_operations_finished_before(Session& session, Time time) {
    return session.connection().run("DELETE FROM operations WHERE done = 1 AND finish_time < ?",
                                    time);
}

}  // namespace tarn::meta
