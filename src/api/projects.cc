#include <algorithm>

#include "api/fields.h"
#include "api/mask.h"
#include "api/page.h"
#include "api/resources.h"
#include "api/settings_fields.h"

namespace tarn::api {

namespace {

using control::Control;
using control::ProjectDraft;
using control::ProjectPatch;

constexpr uint64_t kBranchSizeLimit = 8796093022208;  // 8 TiB, as the service states it
constexpr std::string_view kSuspension = "spec.default_endpoint_settings.suspension";

Result<std::optional<std::vector<control::CustomTag>>> parse_tags(const Fields& spec) {
    auto items = TRY(spec.objects("custom_tags"));
    if (!items) return std::optional<std::vector<control::CustomTag>>();
    std::vector<control::CustomTag> tags;
    for (const Fields& item : *items)
        tags.push_back({TRY(item.text("key")).value_or(""), TRY(item.text("value")).value_or("")});
    return std::optional(std::move(tags));
}

Result<ProjectPatch> parse_spec(const Fields& spec) {
    ProjectPatch patch;
    patch.display_name = TRY(spec.text("display_name"));
    patch.history_retention = TRY(spec.duration("history_retention_duration"));
    patch.enable_pg_native_login = TRY(spec.boolean("enable_pg_native_login"));
    patch.default_branch = TRY(spec.text("default_branch"));
    patch.budget_policy_id = TRY(spec.text("budget_policy_id"));
    patch.custom_tags = TRY(parse_tags(spec));
    Fields defaults = TRY(spec.object("default_endpoint_settings"));
    patch.default_endpoint_settings = TRY(parse_compute_settings(defaults));
    patch.default_endpoint_settings.pg_settings = TRY(defaults.text_map("pg_settings"));
    return patch;
}

Result<ProjectDraft> parse_draft(const Request& request, const Json& body) {
    Fields fields(body);
    Fields spec = TRY(fields.object("spec"));
    ProjectDraft draft;
    draft.id = request.parameter("project_id");
    draft.values = TRY(parse_spec(spec));
    // The default branch of a new project is the one that it is born with.
    draft.values.default_branch.reset();
    if (auto version = TRY(spec.integer("pg_version")))
        draft.pg_version = static_cast<int>(std::clamp<int64_t>(*version, -1, 1000000));
    draft.initial_endpoint =
        TRY(parse_compute_settings(TRY(fields.object("initial_endpoint_spec"))));
    draft.initial_branch_protected =
        TRY(TRY(fields.object("initial_branch_spec")).boolean("is_protected")).value_or(false);
    Fields database = TRY(fields.object("initial_database_spec"));
    if (auto name = TRY(database.text("postgres_database"))) draft.initial_database = *name;
    Fields role = TRY(fields.object("initial_role_spec"));
    auto owner = TRY(role.text("postgres_role"));
    if (owner && *owner != request.caller.user_name)
        return error(Code::unimplemented,
                     "an initial role other than the caller's is not available in this version");
    return draft;
}

MaskRules mask_rules(const Fields& spec) {
    Fields defaults = spec.object("default_endpoint_settings").value();
    MaskRules rules;
    rules.leaves = {
        {"spec.display_name", spec.has("display_name"), "", false},
        {"spec.history_retention_duration", spec.has("history_retention_duration"), "", false},
        {"spec.enable_pg_native_login", spec.has("enable_pg_native_login"), "", false},
        {"spec.default_branch", spec.has("default_branch"), "", false},
        {"spec.budget_policy_id", spec.has("budget_policy_id"), "", true},
        {"spec.custom_tags", spec.has("custom_tags"), "", true},
        {"spec.default_endpoint_settings.autoscaling_limit_min_cu",
         defaults.has("autoscaling_limit_min_cu"), "", false},
        {"spec.default_endpoint_settings.autoscaling_limit_max_cu",
         defaults.has("autoscaling_limit_max_cu"), "", false},
        {"spec.default_endpoint_settings.suspend_timeout_duration",
         defaults.has("suspend_timeout_duration"), kSuspension, false},
        {"spec.default_endpoint_settings.no_suspension", defaults.has("no_suspension"), kSuspension,
         false},
        {"spec.default_endpoint_settings.pg_settings", defaults.has("pg_settings"), "", true},
    };
    // Terraform masks what it sent at creation; it has no meaning later.
    rules.ignored = {"initial_branch_spec", "initial_endpoint_spec", "initial_database_spec",
                     "initial_role_spec"};
    rules.immutable = {"spec.pg_version", "spec.compute_provisioner"};
    return rules;
}

// Drops from the patch what the mask does not name.
void keep_chosen(ProjectPatch& patch, const std::set<std::string_view>& chosen) {
    auto keep = [&](auto& value, std::string_view path) {
        if (!chosen.contains(path)) value.reset();
    };
    keep(patch.display_name, "spec.display_name");
    keep(patch.history_retention, "spec.history_retention_duration");
    keep(patch.enable_pg_native_login, "spec.enable_pg_native_login");
    keep(patch.default_branch, "spec.default_branch");
    keep(patch.budget_policy_id, "spec.budget_policy_id");
    keep(patch.custom_tags, "spec.custom_tags");
    auto& defaults = patch.default_endpoint_settings;
    keep(defaults.min_cu, "spec.default_endpoint_settings.autoscaling_limit_min_cu");
    keep(defaults.max_cu, "spec.default_endpoint_settings.autoscaling_limit_max_cu");
    keep(defaults.pg_settings, "spec.default_endpoint_settings.pg_settings");
    if (!chosen.contains("spec.default_endpoint_settings.no_suspension"))
        keep(defaults.suspend, "spec.default_endpoint_settings.suspend_timeout_duration");
}

Result<ProjectPatch> parse_patch(const Request& request) {
    Json body = TRY(parse_body(request));
    Fields spec = TRY(Fields(body).object("spec"));
    ProjectPatch patch = TRY(parse_spec(spec));
    std::string mask = request.parameter("update_mask");
    // The name that the SDK's own documentation gives the group.
    if (mask == "spec.project_default_settings.suspension") mask = kSuspension;
    auto chosen = TRY(select_leaves(mask, mask_rules(spec)));
    keep_chosen(patch, chosen);
    return patch;
}

}  // namespace

Json json_of(const control::ProjectView& view) {
    const meta::ProjectRow& row = view.row;
    Json defaults = {{"autoscaling_limit_min_cu", cu_json(row.default_min_cu)},
                     {"autoscaling_limit_max_cu", cu_json(row.default_max_cu)}};
    if (row.default_suspend == control::kNever)
        defaults["no_suspension"] = true;
    else
        defaults["suspend_timeout_duration"] = duration_text(row.default_suspend);
    if (auto settings = control::parse_pg_settings(row.default_pg_settings); !settings.empty())
        defaults["pg_settings"] = settings;
    Json status = {{"project_id", row.id},
                   {"display_name", row.display_name},
                   {"pg_version", row.pg_version},
                   {"owner", row.owner},
                   {"default_branch", view.default_branch},
                   {"history_retention_duration", duration_text(row.history_retention)},
                   {"enable_pg_native_login", row.enable_pg_native_login},
                   {"branch_logical_size_limit_bytes", kBranchSizeLimit},
                   {"synthetic_storage_size_bytes", view.storage_bytes},
                   {"default_endpoint_settings", std::move(defaults)}};
    if (view.compute_last_active_time)
        status["compute_last_active_time"] = rfc3339(*view.compute_last_active_time);
    if (!row.budget_policy_id.empty()) status["budget_policy_id"] = row.budget_policy_id;
    for (const auto& tag : control::parse_custom_tags(row.custom_tags))
        status["custom_tags"].push_back({{"key", tag.key}, {"value", tag.value}});
    Json project = {{"name", control::project_name(row.id)},
                    {"project_id", row.id},
                    {"uid", row.uid},
                    {"create_time", rfc3339(row.create_time)},
                    {"update_time", rfc3339(row.update_time)}};
    if (row.delete_time) project["delete_time"] = rfc3339(*row.delete_time);
    if (row.purge_time) project["purge_time"] = rfc3339(*row.purge_time);
    project["status"] = std::move(status);
    return project;
}

void add_projects(Router& router, Control& control) {
    std::string collection = fmt::format("{}projects", kPostgres);
    std::string item = collection + "/*";
    router.add("POST", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        Json body = TRY(parse_body(request));
        ProjectDraft draft = TRY(parse_draft(request, body));
        return answer_operation(control, TRY(control.projects.create(request.caller, draft)));
    });
    router.add("GET", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        PageRequest wanted = TRY(page_request(request, 1));
        auto page = TRY(control.projects.list(
            wanted.after[0], TRY(flag_parameter(request, "show_deleted")), wanted.size));
        Json body = {{"projects", Json::array()}};
        for (const auto& view : page.items) body["projects"].push_back(json_of(view));
        if (page.more) body["next_page_token"] = page_token({page.items.back().row.id});
        return answer(std::move(body));
    });
    router.add("GET", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        return answer(json_of(TRY(control.projects.get(request.captures[0]))));
    });
    router.add("PATCH", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        ProjectPatch patch = TRY(parse_patch(request));
        return answer_operation(control, TRY(control.projects.update(request.captures[0], patch)));
    });
    router.add("DELETE", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        bool purge = TRY(flag_parameter(request, "purge"));
        return answer_operation(control, TRY(control.projects.remove(request.captures[0], purge)));
    });
    router.add("POST", item + "/undelete", Access::bearer,
               [&](const Request& request) -> Result<Response> {
                   return answer_operation(control,
                                           TRY(control.projects.undelete(request.captures[0])));
               });
}

}  // namespace tarn::api
