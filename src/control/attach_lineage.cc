#include "control/attach_lineage.h"

#include "compute/attachments.h"
#include "compute/layout.h"
#include "compute/lives.h"
#include "control/core.h"
#include "control/identity.h"
#include "control/projects.h"
#include "control/rules.h"
#include "control/uids.h"
#include "meta/branches.h"
#include "meta/copy.h"
#include "meta/databases.h"
#include "meta/endpoints.h"
#include "meta/projects.h"
#include "meta/roles.h"
#include "meta/snapshots.h"

namespace tarn::control {

namespace {

using meta::Session;

constexpr const char* kPrefix = "recovered-";
constexpr const char* kDatabase = "databricks_postgres";

// What Projects::create() gives an owner.
meta::RoleRow owners_role(const std::string& owner, const std::string& branch_uid, Time now) {
    meta::RoleRow role;
    role.branch_uid = branch_uid;
    Identity identity;
    identity.user_name = owner;
    role.id = role_id_of(identity);
    role.postgres_role = owner;
    role.identity_type = "USER";
    role.auth_method = "LAKEBASE_OAUTH_V1";
    role.createdb = role.createrole = role.bypassrls = role.is_superuser = true;
    role.create_time = role.update_time = now;
    return role;
}

}  // namespace

// "" if its record cannot be read: then nobody can say.
std::string LineageAttacher::cluster_of(uint64_t lineage) const {
    auto record = store_.lineage(lineage);
    if (!record) return "";
    auto found = record->attachments.find(compute::lineage_key::system_identifier);
    return found == record->attachments.end() ? "" : found->second;
}

void LineageAttacher::know(Session& session, const std::string& lineage) {
    auto id = compute::parse_lineage_id(lineage);
    if (!id) return;
    std::string cluster = cluster_of(*id);
    if (cluster.empty() || projects_.contains(cluster)) return;
    if (auto uid = meta::project_of_lineage(session, lineage); uid && *uid)
        projects_[cluster] = **uid;
}

Result<UnnamedLineage> LineageAttacher::describe(Session& session, uint64_t lineage) {
    UnnamedLineage unnamed;
    unnamed.lineage = compute::lineage_text(lineage);
    auto record = store_.lineage(lineage);
    if (!record) return unnamed;
    auto major = compute::number_attachment(record->attachments, compute::lineage_key::pg_major);
    if (major) unnamed.pg_major = static_cast<int>(*major);
    if (auto point = store_.newest_restore_point(lineage))
        if (auto taken = compute::taken_at(*point)) unnamed.newest = rfc3339(*taken);
    auto project = projects_.find(cluster_of(lineage));
    if (project == projects_.end()) return unnamed;
    if (auto row = TRY(meta::get_project(session, project->second))) unnamed.project = row->id;
    return unnamed;
}

Result<std::string> LineageAttacher::make_project(Session& session, const std::string& cluster,
                                                  const std::string& branch_uid, int pg_major) {
    Options defaults;
    meta::ProjectRow row;
    row.uid = draw_uuid(environment_);
    row.id = row.display_name = kPrefix + cluster;
    row.state = meta::State::ready;
    row.pg_version = pg_major;
    row.owner = request_.owner;
    row.default_branch_uid = branch_uid;
    row.history_retention = defaults.default_history_retention;
    row.default_min_cu = defaults.default_sizes.min_cu;
    row.default_max_cu = defaults.default_sizes.max_cu;
    row.default_suspend = defaults.default_suspend;
    row.default_pg_settings = pg_settings_text({});
    row.custom_tags = custom_tags_text({});
    row.create_time = row.update_time = environment_.now();
    TRY(meta::insert_project(session, row));
    projects_[cluster] = row.uid;
    return row.uid;
}

Result<void> LineageAttacher::copy_from_default(Session& session, const std::string& project_uid,
                                                const std::string& branch_uid) {
    auto project = TRY(meta::get_project(session, project_uid));
    if (project->default_branch_uid != branch_uid) {
        TRY(meta::copy_roles(session, project->default_branch_uid, branch_uid));
        return meta::copy_databases(session, project->default_branch_uid, branch_uid);
    }
    Time now = environment_.now();
    meta::RoleRow role = owners_role(project->owner, branch_uid, now);
    TRY(meta::insert_role(session, role));
    meta::DatabaseRow database;
    database.branch_uid = branch_uid;
    database.id = "databricks-postgres";
    database.postgres_database = kDatabase;
    database.role_id = role.id;
    database.create_time = database.update_time = now;
    return meta::insert_database(session, database);
}

Result<std::string> LineageAttacher::attach(Session& session, uint64_t lineage,
                                            const UnnamedLineage& unnamed) {
    std::string cluster = cluster_of(lineage);
    meta::BranchRow branch;
    branch.uid = draw_uid(environment_, "br");
    auto known = projects_.find(cluster);
    if (known != projects_.end())
        branch.project_uid = known->second;
    else
        branch.project_uid = TRY(make_project(session, cluster, branch.uid, unnamed.pg_major));
    auto project = TRY(meta::get_project(session, branch.project_uid));
    branch.id = kPrefix + unnamed.lineage;
    branch.state = meta::State::ready;
    branch.lineage = unnamed.lineage;
    branch.create_time = branch.update_time = branch.state_change_time = environment_.now();
    TRY(meta::insert_branch(session, branch));
    meta::EndpointRow endpoint;
    endpoint.uid = draw_uid(environment_, "ep");
    endpoint.branch_uid = branch.uid;
    endpoint.id = "primary";
    endpoint.min_cu = project->default_min_cu;
    endpoint.max_cu = project->default_max_cu;
    endpoint.suspend = project->default_suspend;
    endpoint.pg_settings = project->default_pg_settings;
    endpoint.create_time = endpoint.update_time = environment_.now();
    endpoint.address = TRY(request_.addresses.allocate(session));
    TRY(meta::insert_endpoint(session, endpoint));
    TRY(copy_from_default(session, branch.project_uid, branch.uid));
    return fmt::format("projects/{}/branches/{}", project->id, branch.id);
}

}  // namespace tarn::control
