#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "meta/meta.h"
#include "meta/state.h"

namespace tarn::meta {

struct ProjectRow {
    std::string uid;  // a UUID
    std::string id;
    State state = State::creating;
    std::string display_name;
    int pg_version = 0;
    std::string owner;  // user name
    std::string default_branch_uid;
    Span history_retention{};
    bool enable_pg_native_login = false;
    double default_min_cu = 0;
    double default_max_cu = 0;
    Span default_suspend{};           // 0: never
    std::string default_pg_settings;  // JSON object of strings
    std::string custom_tags;          // JSON array of {key, value}
    std::string budget_policy_id;
    Time create_time;
    Time update_time;
    std::optional<Time> delete_time;
    std::optional<Time> purge_time;
};

Result<void> insert_project(Session& session, const ProjectRow& row);
Result<void> update_project(Session& session, const ProjectRow& row);  // by uid
Result<void> erase_project(Session& session, std::string_view uid);
Result<std::optional<ProjectRow>> get_project(Session& session, std::string_view uid);
// By id or by uid, whatever its state.
Result<std::optional<ProjectRow>> find_project(Session& session, std::string_view id_or_uid);
// In order of id, beginning after `after`. Deleted ones only if asked for; purging ones never.
Result<std::vector<ProjectRow>> list_projects(Session& session, std::string_view after,
                                              bool show_deleted, int64_t limit);
Result<std::vector<ProjectRow>> projects_to_purge(Session& session, Time now);
Result<int64_t> count_projects(Session& session);

}  // namespace tarn::meta
