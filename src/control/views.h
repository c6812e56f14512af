// views.h: resources as callers see them: the stored row and what is observed beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compute/computes.h"
#include "control/cadence.h"
#include "meta/branches.h"
#include "meta/databases.h"
#include "meta/endpoints.h"
#include "meta/projects.h"
#include "meta/roles.h"
#include "meta/snapshots.h"

namespace tarn::control {

struct ProjectView {
    meta::ProjectRow row;
    std::string default_branch;  // its name
    std::optional<Time> compute_last_active_time;
    uint64_t storage_bytes = 0;
};

struct BranchView {
    meta::BranchRow row;
    std::string project_id;
    bool is_default = false;
    std::optional<uint64_t> logical_size_bytes = {};  // none: it cannot be told now
};

enum class EndpointState : uint8_t { init, active, idle };

struct EndpointView {
    meta::EndpointRow row;
    std::string project_id;
    std::string branch_id;
    std::string host;  // where clients find it
    EndpointState current = EndpointState::init;
    std::optional<EndpointState> pending;  // where it is going to
    // Finer than the contract knows, for those who operate the server.
    compute::ComputeState compute = compute::ComputeState::stopped;
    std::string reason;  // why the compute failed, or is what it is; may be empty
    std::optional<Time> last_active_time;
};

struct RoleView {
    meta::RoleRow row;
    std::string project_id;
    std::string branch_id;
};

struct DatabaseView {
    meta::DatabaseRow row;
    std::string project_id;
    std::string branch_id;
};

struct SnapshotView {
    meta::SnapshotRow row;
    std::string project_id;
    std::optional<uint64_t> full_size_bytes = {};  // none: it cannot be told now
};

struct SnapshotScheduleView {
    std::string project_id;
    std::string branch_id;
    std::vector<Cadence> cadences;
};

template <class View>
struct Page {
    std::vector<View> items;
    bool more = false;  // there are others after the last item
};

}  // namespace tarn::control
