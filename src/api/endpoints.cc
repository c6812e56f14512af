#include "api/fields.h"
#include "api/mask.h"
#include "api/page.h"
#include "api/resources.h"
#include "api/settings_fields.h"

namespace tarn::api {

namespace {

using control::Control;
using control::EndpointDraft;
using control::EndpointPatch;
using control::EndpointState;

Result<EndpointPatch> parse_spec(const Fields& spec) {
    EndpointPatch patch;
    patch.settings = TRY(parse_compute_settings(spec));
    patch.settings.pg_settings = TRY(TRY(spec.object("settings")).text_map("pg_settings"));
    patch.disabled = TRY(spec.boolean("disabled"));
    Fields group = TRY(spec.object("group"));
    if (TRY(group.integer("max")).value_or(1) != 1 || TRY(group.integer("min")).value_or(1) != 1)
        return error(Code::unimplemented,
                     "high availability (spec.group of more than one) is not available in this "
                     "version");
    return patch;
}

Result<meta::EndpointType> parse_type(const Fields& spec) {
    auto type = TRY(spec.text("endpoint_type"));
    if (type == "ENDPOINT_TYPE_READ_WRITE" || type == "READ_WRITE")
        return meta::EndpointType::read_write;
    if (type == "ENDPOINT_TYPE_READ_ONLY" || type == "READ_ONLY")
        return meta::EndpointType::read_only;
    return error(Code::invalid_argument,
                 "Field 'spec.endpoint_type' must be ENDPOINT_TYPE_READ_WRITE or "
                 "ENDPOINT_TYPE_READ_ONLY.");
}

Result<EndpointDraft> parse_draft(const Request& request) {
    Json body = TRY(parse_body(request));
    Fields spec = TRY(Fields(body).object("spec"));
    EndpointDraft draft;
    draft.project = request.captures[0];
    draft.branch = request.captures[1];
    draft.id = request.parameter("endpoint_id");
    draft.type = TRY(parse_type(spec));
    draft.values = TRY(parse_spec(spec));
    draft.replace_existing = TRY(flag_parameter(request, "replace_existing"));
    return draft;
}

// endpoint_type is immutable, but Python's constructor demands it: a body always has it, and what
// is not masked does not matter.
Result<EndpointPatch> parse_patch(const Request& request) {
    Json body = TRY(parse_body(request));
    Fields spec = TRY(Fields(body).object("spec"));
    EndpointPatch patch = TRY(parse_spec(spec));
    Fields settings = TRY(spec.object("settings"));
    constexpr std::string_view kSuspension = "spec.suspension";
    MaskRules rules{
        .leaves = {{"spec.autoscaling_limit_min_cu", spec.has("autoscaling_limit_min_cu"), "",
                    false},
                   {"spec.autoscaling_limit_max_cu", spec.has("autoscaling_limit_max_cu"), "",
                    false},
                   {"spec.disabled", spec.has("disabled"), "", false},
                   {"spec.suspend_timeout_duration", spec.has("suspend_timeout_duration"),
                    kSuspension, false},
                   {"spec.no_suspension", spec.has("no_suspension"), kSuspension, false},
                   {"spec.settings.pg_settings", settings.has("pg_settings"), "", true},
                   {"spec.group", spec.has("group"), "", true}},
        .ignored = {},
        .immutable = {"spec.endpoint_type"}};
    auto chosen = TRY(select_leaves(request.parameter("update_mask"), rules));
    auto keep = [&](auto& value, std::string_view path) {
        if (!chosen.contains(path)) value.reset();
    };
    keep(patch.settings.min_cu, "spec.autoscaling_limit_min_cu");
    keep(patch.settings.max_cu, "spec.autoscaling_limit_max_cu");
    keep(patch.settings.pg_settings, "spec.settings.pg_settings");
    keep(patch.disabled, "spec.disabled");
    if (!chosen.contains("spec.no_suspension"))
        keep(patch.settings.suspend, "spec.suspend_timeout_duration");
    return patch;
}

std::string_view state_text(EndpointState state) {
    constexpr std::string_view names[] = {"INIT", "ACTIVE", "IDLE"};
    return names[static_cast<size_t>(state)];
}

Json hosts_of(const control::EndpointView& view) {
    Json hosts = {{"host", view.host}};
    if (view.row.type == meta::EndpointType::read_only) hosts["read_only_host"] = view.host;
    return hosts;
}

}  // namespace

Json json_of(const control::EndpointView& view) {
    const meta::EndpointRow& row = view.row;
    bool writes = row.type == meta::EndpointType::read_write;
    Json settings = Json::object();
    if (auto values = control::parse_pg_settings(row.pg_settings); !values.empty())
        settings["pg_settings"] = values;
    Json status = {
        {"endpoint_id", row.id},
        {"endpoint_type", writes ? "ENDPOINT_TYPE_READ_WRITE" : "ENDPOINT_TYPE_READ_ONLY"},
        {"current_state", state_text(view.current)},
        {"disabled", row.disabled},
        {"autoscaling_limit_min_cu", cu_json(row.min_cu)},
        {"autoscaling_limit_max_cu", cu_json(row.max_cu)},
        {"suspend_timeout_duration", duration_text(row.suspend)},
        {"hosts", hosts_of(view)},
        {"group", {{"min", 1}, {"max", 1}, {"enable_readable_secondaries", false}}},
        {"settings", std::move(settings)}};
    if (view.pending) status["pending_state"] = state_text(*view.pending);
    if (view.last_active_time) status["last_active_time"] = rfc3339(*view.last_active_time);
    return {{"name", control::endpoint_name(view.project_id, view.branch_id, row.id)},
            {"endpoint_id", row.id},
            {"parent", control::branch_name(view.project_id, view.branch_id)},
            {"uid", row.uid},
            {"create_time", rfc3339(row.create_time)},
            {"update_time", rfc3339(row.update_time)},
            {"status", std::move(status)}};
}

void add_endpoints(Router& router, Control& control) {
    std::string collection = fmt::format("{}projects/*/branches/*/endpoints", kPostgres);
    std::string item = collection + "/*";
    router.add("POST", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        EndpointDraft draft = TRY(parse_draft(request));
        return answer_operation(control, TRY(control.endpoints.create(draft)));
    });
    router.add("GET", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        PageRequest wanted = TRY(page_request(request, 1));
        auto page = TRY(control.endpoints.list(request.captures[0], request.captures[1],
                                               wanted.after[0], wanted.size));
        Json body = {{"endpoints", Json::array()}};
        for (const auto& view : page.items) body["endpoints"].push_back(json_of(view));
        if (page.more) body["next_page_token"] = page_token({page.items.back().row.uid});
        return answer(std::move(body));
    });
    router.add("GET", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        return answer(json_of(TRY(
            control.endpoints.get(request.captures[0], request.captures[1], request.captures[2]))));
    });
    router.add("PATCH", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        EndpointPatch patch = TRY(parse_patch(request));
        return answer_operation(
            control, TRY(control.endpoints.update(request.captures[0], request.captures[1],
                                                  request.captures[2], patch)));
    });
    router.add("DELETE", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        return answer_operation(
            control, TRY(control.endpoints.remove(request.captures[0], request.captures[1],
                                                  request.captures[2])));
    });
}

}  // namespace tarn::api
