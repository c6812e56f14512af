#include <unistd.h>

#include "api/resources.h"

namespace tarn::api {

namespace {

using control::Control;

constexpr size_t kAll = 100000;

// Finer than the contract's enum.
Json endpoint_status(const control::EndpointView& view) {
    constexpr std::string_view states[] = {"stopped", "starting", "running", "stopping", "failed"};
    Json status = {
        {"endpoint", view.row.id},
        {"uid", view.row.uid},
        {"host", view.host},
        {"state", view.row.disabled ? "disabled" : states[static_cast<size_t>(view.compute)]},
        {"min_cu", view.row.min_cu},
        {"max_cu", view.row.max_cu},
        {"suspend_after", duration_text(view.row.suspend)}};
    if (!view.reason.empty()) status["reason"] = view.reason;
    if (view.last_active_time) status["last_active_time"] = rfc3339(*view.last_active_time);
    return status;
}

Json disk_status(const compute::DiskSpace& disk) {
    return {{"state", compute::disk_state_name(disk.state)},
            {"total_bytes", disk.total},
            {"free_bytes", disk.free},
            {"low_bytes", disk.low},
            {"critical_bytes", disk.critical}};
}

// Half a second is how they are kept; a disk that is busy may take longer.
constexpr Span kRecordsLate = std::chrono::seconds{10};

Json records_status(const control::RecordsStatus& records, Time now) {
    bool late = records.since && now - *records.since > kRecordsLate;
    Json status = {{"state", late || !records.failure.empty() ? "behind" : "current"},
                   {"behind_count", records.behind}};
    if (records.since) status["behind_since"] = rfc3339(*records.since);
    if (!records.failure.empty()) status["failure"] = records.failure;
    return status;
}

Result<Json> branch_status(Control& control, const control::BranchView& view) {
    Json status = {
        {"branch", view.row.id}, {"default", view.is_default}, {"endpoints", Json::array()}};
    if (view.logical_size_bytes) status["logical_size_bytes"] = *view.logical_size_bytes;
    if (view.row.source_name) status["source"] = *view.row.source_name;
    if (view.row.expire_time) status["expire_time"] = rfc3339(*view.row.expire_time);
    add_health_to(status, TRY(control::health_of(control.core(), view.row.lineage)));
    auto endpoints = TRY(control.endpoints.list(view.project_id, view.row.uid, "", kAll));
    for (const auto& endpoint : endpoints.items)
        status["endpoints"].push_back(endpoint_status(endpoint));
    return status;
}

Result<Response> status_of(Control& control, const ServerInfo& server) {
    Json body = {{"version", server.version},
                 {"pid", getpid()},
                 {"start_time", rfc3339(server.start_time)},
                 {"http", server.http_address},
                 {"data_directory", server.data_directory},
                 {"disk", disk_status(control.core().computes.disk_space())},
                 {"postgres_versions", control.projects.postgres_versions()},
                 {"pending_operations", Json::array()},
                 {"projects", Json::array()}};
    if (control.record_keeper.is_kept())
        body["records"] = records_status(control.record_keeper.status(), control.core().now());
    for (const auto& operation : TRY(control.operations.pending()))
        body["pending_operations"].push_back({{"kind", operation.kind},
                                              {"resource", operation.resource_name},
                                              {"since", rfc3339(operation.create_time)}});
    for (const auto& project : TRY(control.projects.list("", false, kAll)).items) {
        Json entry = {{"project", project.row.id},
                      {"pg_version", project.row.pg_version},
                      {"owner", project.row.owner},
                      {"branches", Json::array()}};
        auto branches = control.branches.list(project.row.uid, "", "", false, kAll);
        if (!branches.ok()) continue;  // deleted a moment ago
        for (const auto& branch : branches->items) {
            auto status = branch_status(control, branch);
            if (status.ok()) entry["branches"].push_back(std::move(status).value());
        }
        body["projects"].push_back(std::move(entry));
    }
    return answer(std::move(body));
}

}  // namespace

void add_status(Router& router, Control& control, const ServerInfo& server) {
    router.add("GET", "/api/tarn/v1/status", Access::bearer,
               [&control, server](const Request&) { return status_of(control, server); });
}

}  // namespace tarn::api
