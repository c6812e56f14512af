#include "api/resources.h"

namespace tarn::api {

namespace {

using control::Control;
using control::OperationView;
using control::ResourceKind;
using std::chrono::milliseconds;

// A client that is told "not done" sleeps a second or more before it asks again, and one SDK gives
// up on a socket after five.
constexpr milliseconds kPatience{2000};

std::string_view metadata_type(ResourceKind kind) {
    switch (kind) {
        case ResourceKind::project:
            return "type.googleapis.com/databricks.postgres.v1.ProjectOperationMetadata";
        case ResourceKind::branch:
            return "type.googleapis.com/databricks.postgres.v1.BranchOperationMetadata";
        case ResourceKind::endpoint:
            return "type.googleapis.com/databricks.postgres.v1.EndpointOperationMetadata";
        case ResourceKind::role:
            return "type.googleapis.com/databricks.postgres.v1.RoleOperationMetadata";
        case ResourceKind::database:
            return "type.googleapis.com/databricks.postgres.v1.DatabaseOperationMetadata";
        case ResourceKind::snapshot:
            return "type.googleapis.com/databricks.postgres.v1.SnapshotOperationMetadata";
        case ResourceKind::snapshot_schedule:
            return "type.googleapis.com/databricks.postgres.v1.SnapshotScheduleOperationMetadata";
    }
    return "";
}

// A finished operation always has a response: Python's wait() calls its absence a failure.
Json response_of(const OperationView& view) {
    if (const auto* project = std::get_if<control::ProjectView>(&view.result))
        return json_of(*project);
    if (const auto* branch = std::get_if<control::BranchView>(&view.result))
        return json_of(*branch);
    if (const auto* endpoint = std::get_if<control::EndpointView>(&view.result))
        return json_of(*endpoint);
    if (const auto* snapshot = std::get_if<control::SnapshotView>(&view.result))
        return json_of(*snapshot);
    if (const auto* schedule = std::get_if<control::SnapshotScheduleView>(&view.result))
        return json_of(*schedule);
    if (info(view.kind).leaves_nothing)
        return {{"@type", "type.googleapis.com/google.protobuf.Empty"}};
    return {{"name", view.row.resource_name}};  // made once, deleted since
}

}  // namespace

Json json_of(const OperationView& view) {
    const meta::OperationRow& row = view.row;
    Json operation = {{"name", fmt::format("{}/operations/{}", row.resource_name, row.id)},
                      {"done", row.done},
                      {"metadata", {{"@type", metadata_type(info(view.kind).resource)}}}};
    if (row.preserved_branch) operation["metadata"]["preserved_branch"] = *row.preserved_branch;
    if (!row.done) return operation;
    if (row.error_code)
        operation["error"] = {{"error_code", *row.error_code},
                              {"message", row.error_message.value_or("")}};
    else
        operation["response"] = response_of(view);
    return operation;
}

Result<Response> answer_operation(Control& control, meta::OperationRow operation) {
    return answer(json_of(TRY(control.operations.view(std::move(operation)))));
}

void add_operations(Router& router, Control& control) {
    auto get = [&](const Request& request, std::string resource) -> Result<Response> {
        return answer(
            json_of(TRY(control.operations.get(resource, request.captures.back(), kPatience))));
    };
    router.add("GET", fmt::format("{}projects/*/operations/*", kPostgres), Access::bearer,
               [get](const Request& request) {
                   return get(request, control::project_name(request.captures[0]));
               });
    router.add("GET", fmt::format("{}projects/*/snapshots/*/operations/*", kPostgres),
               Access::bearer, [get](const Request& request) {
                   return get(request,
                              control::snapshot_name(request.captures[0], request.captures[1]));
               });
    router.add(
        "GET", fmt::format("{}projects/*/branches/*/snapshot-schedule/operations/*", kPostgres),
        Access::bearer, [get](const Request& request) {
            return get(request,
                       control::snapshot_schedule_name(request.captures[0], request.captures[1]));
        });
    router.add("GET", fmt::format("{}projects/*/branches/*/operations/*", kPostgres),
               Access::bearer, [get](const Request& request) {
                   return get(request,
                              control::branch_name(request.captures[0], request.captures[1]));
               });
    router.add("GET", fmt::format("{}projects/*/branches/*/endpoints/*/operations/*", kPostgres),
               Access::bearer, [get](const Request& request) {
                   return get(request,
                              control::endpoint_name(request.captures[0], request.captures[1],
                                                     request.captures[2]));
               });
}

}  // namespace tarn::api
