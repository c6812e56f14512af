// resources.h: the routes of each resource, and their JSON.
#pragma once

#include <string>

#include "api/http.h"
#include "api/router.h"
#include "control/branch_health.h"
#include "control/control.h"

namespace tarn::api {

inline constexpr std::string_view kPostgres = "/api/2.0/postgres/";

// What the process knows about itself, for well-known documents and status.
struct ServerInfo {
    std::string version;
    std::string http_address;  // "127.0.0.1:8080"
    std::string data_directory;
    std::string workspace_id;
    Time start_time;
};

void add_projects(Router& router, control::Control& control);
void add_branches(Router& router, control::Control& control);
void add_snapshots(Router& router, control::Control& control);
void add_diffs(Router& router, control::Control& control);
void add_restore_checks(Router& router, control::Control& control);
void add_endpoints(Router& router, control::Control& control);
void add_roles(Router& router, control::Control& control);
void add_databases(Router& router, control::Control& control);
void add_credentials(Router& router, control::Control& control);
void add_operations(Router& router, control::Control& control);
void add_scim(Router& router, const ServerInfo& server);
void add_well_known(Router& router, const ServerInfo& server);
void add_database_instances(Router& router);
void add_health(Router& router);
void add_status(Router& router, control::Control& control, const ServerInfo& server);

Json json_of(const control::ProjectView& view);
Json json_of(const meta::RestoreCheckRow& row);
Json json_of(const control::BranchView& view);
Json json_of(const control::EndpointView& view);
Json json_of(const control::SnapshotView& view);
Json json_of(const control::SnapshotScheduleView& view);
Json json_of(const control::OperationView& view);

// Tarn's own fields in the status of a branch or snapshot (docs/api/tarn.yaml).
void add_health_to(Json& status, const control::BranchHealth& health);

// The answer of every mutation.
Result<Response> answer_operation(control::Control& control, meta::OperationRow operation);

}  // namespace tarn::api
