// projects.h: what callers may do with projects.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/core.h"
#include "control/endpoints.h"
#include "control/identity.h"
#include "control/views.h"

namespace tarn::control {

struct CustomTag {
    std::string key;
    std::string value;
};

struct ProjectPatch {
    std::optional<std::string> display_name;
    std::optional<Span> history_retention;
    std::optional<bool> enable_pg_native_login;
    std::optional<std::string> default_branch;   // a name
    EndpointSettings default_endpoint_settings;  // for endpoints made later
    std::optional<std::vector<CustomTag>> custom_tags;
    std::optional<std::string> budget_policy_id;
};

struct ProjectDraft {
    std::string id;
    std::optional<int> pg_version;
    ProjectPatch values;
    EndpointSettings initial_endpoint;  // for its first endpoint only
    bool initial_branch_protected = false;
    std::string initial_database = "databricks_postgres";
};

class Projects {
  public:
    Projects(Core& core, const Wake& wake) : core_(core), wake_(wake) {}

    // The majors that a project may have.
    std::vector<int> postgres_versions() const { return core_.computes.majors(); }
    // Makes the project, its branch "production", that one's endpoint "primary", the caller's role
    // and the database.
    Result<meta::OperationRow> create(const Identity& caller, const ProjectDraft& draft);
    Result<ProjectView> get(const std::string& id);
    Result<ProjectView> get_by_uid(const std::string& uid);  // whatever its state
    // In order of id, beginning after `after`.
    Result<Page<ProjectView>> list(const std::string& after, bool show_deleted, size_t limit);
    Result<meta::OperationRow> update(const std::string& id, const ProjectPatch& patch);
    // Keeps it for undelete, unless `purge`. Purging a deleted project ends it early.
    Result<meta::OperationRow> remove(const std::string& id, bool purge);
    Result<meta::OperationRow> undelete(const std::string& id);

    // The end of a deleted project whose time has come.
    Result<void> purge_deleted(const std::string& uid);

  private:
    Result<meta::OperationRow> insert(meta::Session& session, const Identity& caller,
                                      const ProjectDraft& draft);
    Result<ProjectView> view(meta::ProjectRow row);

    Core& core_;
    const Wake& wake_;
};

// The stored form of tags, and back.
std::string custom_tags_text(const std::vector<CustomTag>& tags);
std::vector<CustomTag> parse_custom_tags(std::string_view text);

}  // namespace tarn::control
