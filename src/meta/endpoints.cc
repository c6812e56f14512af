#include "meta/endpoints.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define ENDPOINT_COLUMNS                                                                   \
    "uid, branch_uid, id, type, address, min_cu, max_cu, suspend, disabled, pg_settings, " \
    "create_time, update_time, last_active_time"

std::string_view name(EndpointType type) {
    return type == EndpointType::read_write ? "read_write" : "read_only";
}

EndpointRow read(Statement& statement) {
    EndpointRow row;
    row.uid = statement.text();
    row.branch_uid = statement.text();
    row.id = statement.text();
    row.type =
        statement.text() == "read_write" ? EndpointType::read_write : EndpointType::read_only;
    row.address = statement.text();
    row.min_cu = statement.real();
    row.max_cu = statement.real();
    row.suspend = statement.span();
    row.disabled = statement.flag();
    row.pg_settings = statement.text();
    row.create_time = statement.time();
    row.update_time = statement.time();
    row.last_active_time = statement.maybe_time();
    return row;
}

Result<std::vector<EndpointRow>> all(Statement statement) {
    std::vector<EndpointRow> rows;
    while (TRY(statement.step())) rows.push_back(read(statement));
    return rows;
}

Result<std::optional<EndpointRow>> one(Statement statement) {
    if (!TRY(statement.step())) return std::optional<EndpointRow>();
    return std::optional(read(statement));
}

}  // namespace

Result<void> insert_endpoint(Session& session, const EndpointRow& row) {
    return session.connection().run("INSERT INTO endpoints (" ENDPOINT_COLUMNS
                                    ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                    row.uid, row.branch_uid, row.id, name(row.type), row.address,
                                    row.min_cu, row.max_cu, row.suspend, row.disabled,
                                    row.pg_settings, row.create_time, row.update_time,
                                    row.last_active_time);
}

Result<void> update_endpoint(Session& session, const EndpointRow& row) {
    return session.connection().run(
        "UPDATE endpoints SET min_cu = ?, max_cu = ?, suspend = ?, disabled = ?, pg_settings = ?,"
        " update_time = ? WHERE uid = ?",
        row.min_cu, row.max_cu, row.suspend, row.disabled, row.pg_settings, row.update_time,
        row.uid);
}

Result<void> touch_endpoint(Session& session, std::string_view uid, Time last_active) {
    return session.connection().run(
        "UPDATE endpoints SET last_active_time = max(coalesce(last_active_time, 0), ?)"
        " WHERE uid = ?",
        last_active, uid);
}

Result<std::optional<EndpointRow>> get_endpoint(Session& session, std::string_view uid) {
    auto statement = TRY(
        session.connection().prepare("SELECT " ENDPOINT_COLUMNS " FROM endpoints WHERE uid = ?"));
    statement.bind(uid);
    return one(std::move(statement));
}

Result<std::optional<EndpointRow>> find_endpoint(Session& session, std::string_view branch_uid,
                                                 std::string_view id_or_uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " ENDPOINT_COLUMNS
        " FROM endpoints WHERE branch_uid = ?1 AND (id = ?2 OR uid = ?2)"
        " ORDER BY id = ?2 DESC LIMIT 1"));
    statement.bind(branch_uid, id_or_uid);
    return one(std::move(statement));
}

Result<std::optional<EndpointRow>> endpoint_at(Session& session, std::string_view address) {
    auto statement = TRY(session.connection().prepare("SELECT " ENDPOINT_COLUMNS
                                                      " FROM endpoints WHERE address = ?"));
    statement.bind(address);
    return one(std::move(statement));
}

Result<std::vector<EndpointRow>> list_endpoints(Session& session, std::string_view branch_uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " ENDPOINT_COLUMNS
        " FROM endpoints WHERE branch_uid = ? ORDER BY type = 'read_only', id"));
    statement.bind(branch_uid);
    return all(std::move(statement));
}

Result<std::vector<EndpointRow>> all_endpoints(Session& session) {
    return all(TRY(
        session.connection().prepare("SELECT " ENDPOINT_COLUMNS " FROM endpoints ORDER BY uid")));
}

}  // namespace tarn::meta
