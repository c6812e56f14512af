#include "meta/projects.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define PROJECT_COLUMNS                                                                        \
    "uid, id, state, display_name, pg_version, owner, default_branch_uid, history_retention, " \
    "enable_pg_native_login, default_min_cu, default_max_cu, default_suspend, "                \
    "default_pg_settings, custom_tags, budget_policy_id, create_time, update_time, "           \
    "delete_time, purge_time"

ProjectRow read(Statement& statement) {
    ProjectRow row;
    row.uid = statement.text();
    row.id = statement.text();
    row.state = state_of(statement.text());
    row.display_name = statement.text();
    row.pg_version = static_cast<int>(statement.integer());
    row.owner = statement.text();
    row.default_branch_uid = statement.text();
    row.history_retention = statement.span();
    row.enable_pg_native_login = statement.flag();
    row.default_min_cu = statement.real();
    row.default_max_cu = statement.real();
    row.default_suspend = statement.span();
    row.default_pg_settings = statement.text();
    row.custom_tags = statement.text();
    row.budget_policy_id = statement.text();
    row.create_time = statement.time();
    row.update_time = statement.time();
    row.delete_time = statement.maybe_time();
    row.purge_time = statement.maybe_time();
    return row;
}

Result<std::vector<ProjectRow>> all(Statement statement) {
    std::vector<ProjectRow> rows;
    while (TRY(statement.step())) rows.push_back(read(statement));
    return rows;
}

Result<std::optional<ProjectRow>> one(Statement statement) {
    if (!TRY(statement.step())) return std::optional<ProjectRow>();
    return std::optional(read(statement));
}

}  // namespace

Result<void> insert_project(Session& session, const ProjectRow& row) {
    return session.connection().run(
        "INSERT INTO projects (" PROJECT_COLUMNS
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.uid, row.id, name(row.state), row.display_name, row.pg_version, row.owner,
        row.default_branch_uid, row.history_retention, row.enable_pg_native_login,
        row.default_min_cu, row.default_max_cu, row.default_suspend, row.default_pg_settings,
        row.custom_tags, row.budget_policy_id, row.create_time, row.update_time, row.delete_time,
        row.purge_time);
}

Result<void> update_project(Session& session, const ProjectRow& row) {
    return session.connection().run(
        "UPDATE projects SET state = ?, display_name = ?, default_branch_uid = ?,"
        " history_retention = ?, enable_pg_native_login = ?, default_min_cu = ?,"
        " default_max_cu = ?, default_suspend = ?, default_pg_settings = ?, custom_tags = ?,"
        " budget_policy_id = ?, update_time = ?, delete_time = ?, purge_time = ? WHERE uid = ?",
        name(row.state), row.display_name, row.default_branch_uid, row.history_retention,
        row.enable_pg_native_login, row.default_min_cu, row.default_max_cu, row.default_suspend,
        row.default_pg_settings, row.custom_tags, row.budget_policy_id, row.update_time,
        row.delete_time, row.purge_time, row.uid);
}

Result<void> erase_project(Session& session, std::string_view uid) {
    return session.connection().run("DELETE FROM projects WHERE uid = ?", uid);
}

Result<std::optional<ProjectRow>> get_project(Session& session, std::string_view uid) {
    auto statement =
        TRY(session.connection().prepare("SELECT " PROJECT_COLUMNS " FROM projects WHERE uid = ?"));
    statement.bind(uid);
    return one(std::move(statement));
}

Result<std::optional<ProjectRow>> find_project(Session& session, std::string_view id_or_uid) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " PROJECT_COLUMNS
        " FROM projects WHERE id = ?1 OR uid = ?1 ORDER BY id = ?1 DESC LIMIT 1"));
    statement.bind(id_or_uid);
    return one(std::move(statement));
}

Result<std::vector<ProjectRow>> list_projects(Session& session, std::string_view after,
                                              bool show_deleted, int64_t limit) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " PROJECT_COLUMNS
        " FROM projects WHERE id > ? AND (state IN ('creating', 'ready')"
        " OR (? AND state = 'deleted')) ORDER BY id LIMIT ?"));
    statement.bind(after, show_deleted, limit);
    return all(std::move(statement));
}

Result<std::vector<ProjectRow>> projects_to_purge(Session& session, Time now) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " PROJECT_COLUMNS " FROM projects WHERE state = 'deleted' AND purge_time <= ?"));
    statement.bind(now);
    return all(std::move(statement));
}

Result<int64_t> count_projects(Session& session) {
    auto statement = TRY(session.connection().prepare("SELECT count(*) FROM projects"));
    TRY(statement.step());
    return statement.integer();
}

}  // namespace tarn::meta
