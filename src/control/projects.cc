#include "control/projects.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/lookup.h"
#include "control/uids.h"
#include "meta/databases.h"
#include "meta/roles.h"

namespace tarn::control {

namespace {

using meta::BranchRow;
using meta::OperationRow;
using meta::ProjectRow;
using meta::Session;
using meta::State;

constexpr std::string_view kDefaultPgSettingsField = "spec.default_endpoint_settings.pg_settings";
constexpr int64_t kMaxProjects = 1000;
constexpr size_t kMaxCustomTags = 25;
constexpr size_t kMaxTagBytes = 256;
constexpr size_t kMaxIdentifierBytes = 63;
constexpr int kKnownVersions[] = {16, 17, 18};

Result<void> check_custom_tags(const std::vector<CustomTag>& tags) {
    bool fits = tags.size() <= kMaxCustomTags;
    for (const CustomTag& tag : tags)
        fits = fits && !tag.key.empty() && tag.key.size() <= kMaxTagBytes &&
               tag.value.size() <= kMaxTagBytes;
    if (fits) return {};
    return error(
        Code::invalid_argument,
        "Field 'spec.custom_tags' must have at most {} tags, each with a key of 1 to {} and "
        "a value of at most {} bytes.",
        kMaxCustomTags, kMaxTagBytes, kMaxTagBytes);
}

Result<void> check_pg_version(int version, const std::vector<int>& installed) {
    if (std::ranges::find(kKnownVersions, version) == std::end(kKnownVersions))
        return error(Code::invalid_argument,
                     "Field 'spec.pg_version' must be one of 16, 17, 18, got {}.", version);
    if (std::ranges::find(installed, version) != installed.end()) return {};
    return error(
               Code::invalid_argument,
               "Field 'spec.pg_version': PostgreSQL {} is not installed on this server (found: {})",
               version, installed.empty() ? "none" : fmt::format("{}", fmt::join(installed, ", ")))
        .with_hint(
            fmt::format("install PostgreSQL {} where the server looks (its --pg-dir) and start it "
                        "again, or choose another version",
                        version));
}

Result<void> check_database_name(const std::string& name) {
    bool fits = !name.empty() && name.size() <= kMaxIdentifierBytes && name != "template0" &&
                name != "template1" && name != "postgres";
    for (char c : name) fits = fits && static_cast<unsigned char>(c) >= 0x20;
    if (fits) return {};
    return error(
        Code::invalid_argument,
        "Field 'initial_database_spec.postgres_database' must be a Postgres identifier of 1 "
        "to {} bytes and not a system database, got '{}'.",
        kMaxIdentifierBytes, name.substr(0, 100));
}

// Puts the patch's default endpoint settings into the row and checks what comes out.
Result<void> merge_defaults(ProjectRow& row, const EndpointSettings& settings,
                            const Options& options) {
    Sizes sizes =
        merge_sizes({row.default_min_cu, row.default_max_cu}, settings.min_cu, settings.max_cu);
    if (settings.min_cu || settings.max_cu) TRY(check_sizes(sizes));
    row.default_min_cu = sizes.min_cu;
    row.default_max_cu = sizes.max_cu;
    if (settings.suspend) {
        TRY(check_suspend("spec.default_endpoint_settings.suspend_timeout_duration",
                          *settings.suspend, options.least_suspend));
        row.default_suspend = *settings.suspend;
    }
    if (settings.pg_settings) {
        TRY(check_pg_settings(kDefaultPgSettingsField, *settings.pg_settings));
        row.default_pg_settings = pg_settings_text(*settings.pg_settings);
    }
    return {};
}

// All of a patch but the default branch, which needs the branches.
Result<void> merge(ProjectRow& row, const ProjectPatch& patch, const Options& options) {
    if (patch.display_name) {
        TRY(check_display_name(*patch.display_name));
        row.display_name = *patch.display_name;
    }
    if (patch.history_retention) {
        TRY(check_history_retention(*patch.history_retention, options.least_history_retention));
        row.history_retention = *patch.history_retention;
    }
    row.enable_pg_native_login = patch.enable_pg_native_login.value_or(row.enable_pg_native_login);
    if (patch.custom_tags) {
        TRY(check_custom_tags(*patch.custom_tags));
        row.custom_tags = custom_tags_text(*patch.custom_tags);
    }
    row.budget_policy_id = patch.budget_policy_id.value_or(row.budget_policy_id);
    return merge_defaults(row, patch.default_endpoint_settings, options);
}

Result<std::string> default_branch_uid(Session& session, const ProjectRow& project,
                                       const std::string& text) {
    auto name = TRY(parse_name("spec.default_branch", text, ResourceKind::branch));
    if (name.project != project.id && name.project != project.uid)
        return error(Code::invalid_argument,
                     "default_branch field must point to the branch from the same Project");
    BranchRow branch = TRY(live_branch(session, project.uid, name.branch)).branch;
    if (branch.state != State::ready) return conflicting_operation();
    if (branch.expire_time)
        return error(Code::bad_request, "a branch that expires cannot be the default branch");
    return branch.uid;
}

ProjectRow fresh_project(Core& core, const Identity& caller, const ProjectDraft& draft) {
    const Options& options = core.options;
    ProjectRow row;
    row.uid = draw_uuid(core.environment);
    row.id = row.display_name = draft.id;
    row.pg_version = draft.pg_version.value_or(options.default_pg_version);
    row.owner = caller.user_name;
    row.default_branch_uid = draw_uid(core.environment, "br");
    row.history_retention = options.default_history_retention;
    row.default_min_cu = options.default_sizes.min_cu;
    row.default_max_cu = options.default_sizes.max_cu;
    row.default_suspend = options.default_suspend;
    row.default_pg_settings = pg_settings_text({});
    row.custom_tags = custom_tags_text({});
    row.create_time = row.update_time = core.now();
    return row;
}

// The caller's role and the database it owns.
Result<void> insert_owner(Session& session, const BranchRow& branch, const Identity& caller,
                          const std::string& database) {
    meta::RoleRow role;
    role.branch_uid = branch.uid;
    role.id = role_id_of(caller);
    role.postgres_role = caller.user_name;
    role.identity_type = caller.is_service_principal ? "SERVICE_PRINCIPAL" : "USER";
    role.auth_method = "LAKEBASE_OAUTH_V1";
    role.createdb = role.createrole = role.bypassrls = role.is_superuser = true;
    role.create_time = role.update_time = branch.create_time;
    TRY(meta::insert_role(session, role));
    meta::DatabaseRow row;
    row.branch_uid = branch.uid;
    row.id = database;
    std::ranges::replace(row.id, '_', '-');
    row.postgres_database = database;
    row.role_id = role.id;
    row.create_time = row.update_time = branch.create_time;
    return meta::insert_database(session, row);
}

}  // namespace

Result<OperationRow> Projects::create(const Identity& caller, const ProjectDraft& draft) {
    TRY(check_id("project_id", draft.id));
    TRY(check_pg_version(draft.pg_version.value_or(core_.options.default_pg_version),
                         core_.computes.majors()));
    TRY(check_database_name(draft.initial_database));
    TRY(try_out_settings(core_, kDefaultPgSettingsField,
                         draft.pg_version.value_or(core_.options.default_pg_version),
                         core_.options.default_sizes, draft.values.default_endpoint_settings));
    auto operation =
        TRY(core_.meta.write([&](Session& session) { return insert(session, caller, draft); }));
    core_.board.announce();
    return operation;
}

Result<OperationRow> Projects::insert(Session& session, const Identity& caller,
                                      const ProjectDraft& draft) {
    if (TRY(meta::find_project(session, draft.id)))
        return error(Code::already_exists, "project with such id already exists in the workspace");
    if (TRY(meta::count_projects(session)) >= kMaxProjects)
        return error(Code::quota_exceeded, "projects limit exceeded");
    TRY(core_.check_room(fmt::format("create project '{}'", draft.id)));
    ProjectRow project = fresh_project(core_, caller, draft);
    TRY(merge(project, draft.values, core_.options));

    BranchRow branch;
    branch.uid = project.default_branch_uid;
    branch.project_uid = project.uid;
    branch.id = "production";
    branch.lineage = draw_lineage(core_.environment);
    branch.is_protected = draft.initial_branch_protected;
    branch.create_time = branch.update_time = branch.state_change_time = project.create_time;

    TRY(meta::insert_project(session, project));
    TRY(meta::insert_branch(session, branch));
    TRY(meta::insert_endpoint(
        session, TRY(draft_primary(core_, session, project, branch.uid, draft.initial_endpoint))));
    TRY(insert_owner(session, branch, caller, draft.initial_database));
    return core_.record(session, OperationKind::create_project, project_name(project.id),
                        project.uid, project.uid, false);
}

Result<ProjectView> Projects::get(const std::string& id) {
    return view(TRY(core_.meta.read([&](Session& session) { return live_project(session, id); })));
}

Result<ProjectView> Projects::get_by_uid(const std::string& uid) {
    auto row =
        TRY(core_.meta.read([&](Session& session) { return meta::get_project(session, uid); }));
    if (!row) return error(Code::not_found, "project id not found");
    return view(std::move(*row));
}

Result<Page<ProjectView>> Projects::list(const std::string& after, bool show_deleted,
                                         size_t limit) {
    auto rows = TRY(core_.meta.read([&](Session& session) {
        return meta::list_projects(session, after, show_deleted, static_cast<int64_t>(limit) + 1);
    }));
    Page<ProjectView> page;
    page.more = rows.size() > limit;
    if (page.more) rows.pop_back();
    for (auto& row : rows) page.items.push_back(TRY(view(std::move(row))));
    return page;
}

Result<OperationRow> Projects::update(const std::string& id, const ProjectPatch& patch) {
    auto found = core_.meta.read([&](Session& session) { return live_project(session, id); });
    if (found.ok())  // else refused below
        TRY(try_out_settings(core_, kDefaultPgSettingsField, found->pg_version,
                             {found->default_min_cu, found->default_max_cu},
                             patch.default_endpoint_settings));
    return core_.meta.write([&](Session& session) -> Result<OperationRow> {
        ProjectRow row = TRY(live_project(session, id));
        if (row.state != State::ready) return conflicting_operation();
        TRY(merge(row, patch, core_.options));
        if (patch.default_branch)
            row.default_branch_uid = TRY(default_branch_uid(session, row, *patch.default_branch));
        row.update_time = core_.now();
        TRY(meta::update_project(session, row));
        return core_.record(session, OperationKind::update_project, project_name(row.id), row.uid,
                            row.uid, true);
    });
}

Result<OperationRow> Projects::remove(const std::string& id, bool purge) {
    auto operation = TRY(core_.meta.write([&](Session& session) -> Result<OperationRow> {
        auto row = TRY(meta::find_project(session, id));
        bool known = row && (is_live(row->state) || (purge && row->state == State::deleted));
        if (!known) return error(Code::not_found, "project id not found");
        if (row->state == State::creating) return conflicting_operation();
        for (const BranchRow& branch : TRY(meta::all_branches(session, row->uid)))
            if (branch.is_protected && is_live(branch.state))
                return error(Code::bad_request, "cannot delete project with protected branches");
        bool final = purge || core_.options.deleted_retention == Span{0};
        Time now = core_.now();
        row->state = final ? State::purging : State::deleted;
        row->delete_time = row->update_time = now;
        row->purge_time = final ? now : now + core_.options.deleted_retention;
        TRY(meta::update_project(session, *row));
        return core_.record(session,
                            final ? OperationKind::purge_project : OperationKind::delete_project,
                            project_name(row->id), row->uid, row->uid, false);
    }));
    core_.board.announce();
    return operation;
}

Result<OperationRow> Projects::undelete(const std::string& id) {
    auto operation = TRY(core_.meta.write([&](Session& session) -> Result<OperationRow> {
        auto row = TRY(meta::find_project(session, id));
        if (!row || row->state != State::deleted)
            return error(Code::not_found, "project id not found");
        row->state = State::ready;
        row->delete_time = row->purge_time = std::nullopt;
        row->update_time = core_.now();
        TRY(meta::update_project(session, *row));
        return core_.record(session, OperationKind::undelete_project, project_name(row->id),
                            row->uid, row->uid, false);
    }));
    core_.board.announce();
    return operation;
}

Result<void> Projects::purge_deleted(const std::string& uid) {
    TRY(core_.meta.write([&](Session& session) -> Result<OperationRow> {
        auto row = TRY(meta::get_project(session, uid));
        if (!row || row->state != State::deleted)
            return error(Code::conflict, "project {} is not deleted", uid);
        row->state = State::purging;
        TRY(meta::update_project(session, *row));
        return core_.record(session, OperationKind::purge_project, project_name(row->id), uid, uid,
                            false);
    }));
    core_.board.announce();
    return {};
}

Result<ProjectView> Projects::view(ProjectRow row) {
    struct Found {
        std::optional<BranchRow> default_branch;
        std::vector<meta::EndpointRow> endpoints;
    };
    auto found = TRY(core_.meta.read([&](Session& session) -> Result<Found> {
        Found all{TRY(meta::get_branch(session, row.default_branch_uid)), {}};
        for (const BranchRow& branch : TRY(meta::all_branches(session, row.uid)))
            for (auto& endpoint : TRY(meta::list_endpoints(session, branch.uid)))
                all.endpoints.push_back(std::move(endpoint));
        return all;
    }));
    ProjectView view;
    if (found.default_branch) {
        view.default_branch = branch_name(row.id, found.default_branch->id);
        if (row.state == State::ready) {
            auto size = core_.computes.logical_size(found.default_branch->lineage);
            if (size.ok()) view.storage_bytes = *size;
        }
    }
    for (const auto& endpoint : found.endpoints) {
        auto last = wake_.last_active(endpoint.uid);
        if (!last) last = endpoint.last_active_time;
        if (last)
            view.compute_last_active_time =
                std::max(view.compute_last_active_time.value_or(*last), *last);
    }
    view.row = std::move(row);
    return view;
}

std::string custom_tags_text(const std::vector<CustomTag>& tags) {
    auto array = nlohmann::json::array();
    for (const CustomTag& tag : tags) array.push_back({{"key", tag.key}, {"value", tag.value}});
    return array.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<CustomTag> parse_custom_tags(std::string_view text) {
    std::vector<CustomTag> tags;
    auto parsed = nlohmann::json::parse(text, nullptr, false);
    if (!parsed.is_array()) return tags;
    for (const auto& item : parsed)
        if (item.is_object()) tags.push_back({item.value("key", ""), item.value("value", "")});
    return tags;
}

}  // namespace tarn::control
