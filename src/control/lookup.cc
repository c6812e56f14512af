#include "control/lookup.h"

namespace tarn::control {

Result<meta::ProjectRow> live_project(meta::Session& session, std::string_view project) {
    auto row = TRY(meta::find_project(session, project));
    if (!row || !is_live(row->state)) return error(Code::not_found, "project id not found");
    return *row;
}

Result<FoundBranch> live_branch(meta::Session& session, std::string_view project,
                                std::string_view branch) {
    FoundBranch found{TRY(live_project(session, project)), {}};
    auto row = TRY(meta::find_branch(session, found.project.uid, branch));
    if (!row || !is_live(row->state)) return error(Code::not_found, "branch id not found");
    found.branch = *row;
    return found;
}

Result<FoundEndpoint> live_endpoint(meta::Session& session, std::string_view project,
                                    std::string_view branch, std::string_view endpoint) {
    auto [project_row, branch_row] = TRY(live_branch(session, project, branch));
    auto row = TRY(meta::find_endpoint(session, branch_row.uid, endpoint));
    if (!row && endpoint == "ep-primary")
        row = TRY(meta::find_endpoint(session, branch_row.uid, "primary"));
    if (!row) return error(Code::not_found, "endpoint not found");
    return FoundEndpoint{std::move(project_row), std::move(branch_row), *row};
}

Result<FoundEndpoint> live_endpoint_by_uid(meta::Session& session, std::string_view uid) {
    auto missing = [] { return error(Code::not_found, "endpoint not found"); };
    auto endpoint = TRY(meta::get_endpoint(session, uid));
    if (!endpoint) return missing();
    auto branch = TRY(meta::get_branch(session, endpoint->branch_uid));
    if (!branch || !is_live(branch->state)) return missing();
    auto project = TRY(meta::get_project(session, branch->project_uid));
    if (!project || !is_live(project->state)) return missing();
    return FoundEndpoint{*project, *branch, *endpoint};
}

Error conflicting_operation() {
    return error(Code::conflict,
                 "Your project already has conflicting operations in progress. Please wait until "
                 "they are complete, and then try again.");
}

}  // namespace tarn::control
