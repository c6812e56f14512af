#include "control/steps.h"

#include "base/log.h"
#include "control/origin.h"
#include "control/provision.h"
#include "control/restores.h"
#include "meta/databases.h"
#include "meta/roles.h"

namespace tarn::control {

namespace {

using meta::BranchRow;
using meta::OperationRow;
using meta::ProjectRow;
using meta::Session;
using meta::SnapshotRow;
using meta::State;

// "create projects/p/branches/b"
std::string what_of(const OperationRow& operation) {
    std::string_view kind = operation.kind;
    return fmt::format("{} {}", kind.substr(0, kind.find('_')), operation.resource_name);
}

}  // namespace

Result<void> Steps::perform(const OperationRow& operation) {
    auto kind = operation_kind(operation.kind);
    if (!kind) return error(Code::data_loss, "unknown kind of operation '{}'", operation.kind);
    if (info(*kind).leaves_nothing) core_.computes.make_way_for_removal();
    switch (*kind) {
        case OperationKind::create_project:
            return create_project(operation);
        case OperationKind::create_branch:
            return create_branch(operation);
        case OperationKind::create_snapshot:
            return create_snapshot(operation);
        case OperationKind::delete_snapshot:
            return purge_snapshot(operation);
        case OperationKind::restore_branch:
        case OperationKind::reset_branch:
            return replace_branch(operation, *kind);
        case OperationKind::delete_project:
            return stop_project(operation);
        case OperationKind::delete_branch:
            return stop_branch(operation);
        case OperationKind::purge_project:
            return purge_project(operation);
        case OperationKind::purge_branch:
            return purge_branch(operation);
        case OperationKind::update_endpoint:
            return update_endpoint(operation);
        case OperationKind::undelete_project:
            return open_project(operation);
        case OperationKind::undelete_branch:
            return open_branch(operation);
        case OperationKind::update_project:
        case OperationKind::update_branch:
        case OperationKind::update_snapshot_schedule:
            return finish(operation);
    }
    return finish(operation);
}

Result<void> Steps::give_up(const OperationRow& operation, const Error& why) {
    TRY(mark_failed(operation, why));
    return take_back(operation);
}

Result<void> Steps::take_back(const OperationRow& operation) {
    auto kind = operation_kind(operation.kind);
    if (kind == OperationKind::create_project) return purge_project(operation);
    if (kind == OperationKind::create_branch) return purge_branch(operation);
    if (kind == OperationKind::create_snapshot) return purge_snapshot(operation);
    return finish(operation);
}

Result<void> Steps::create_project(const OperationRow& operation) {
    struct Parts {
        FoundEndpoint found;
        std::vector<meta::RoleRow> roles;
        std::vector<meta::DatabaseRow> databases;
    };
    auto parts = TRY(core_.meta.read([&](Session& session) -> Result<Parts> {
        Parts all;
        ProjectRow& project = all.found.project;
        project = TRY(present(meta::get_project(session, operation.resource_uid), "project",
                              operation.resource_uid));
        BranchRow& branch = all.found.branch;
        branch = TRY(present(meta::get_branch(session, project.default_branch_uid), "branch",
                             project.default_branch_uid));
        all.found.endpoint = TRY(present(meta::find_endpoint(session, branch.uid, "primary"),
                                         "the primary endpoint of branch", branch.uid));
        all.roles = TRY(meta::list_roles(session, branch.uid));
        all.databases = TRY(meta::list_databases(session, branch.uid));
        return all;
    }));
    auto& [found, roles, databases] = parts;
    TRY_CTX(core_.computes.create_root(found.branch.lineage, found.project.pg_version),
            "create the storage of {}", operation.resource_name);
    TRY(wake_.start(found));
    TRY_CTX(provision(core_.computes, found.endpoint.uid, roles, databases),
            "make the roles and databases of {}", operation.resource_name);
    // A branch of a moment before would have no owner's role to log in with.
    TRY(core_.computes.begin_history(found.branch.lineage));
    TRY(wake_.open_door(found.endpoint));
    return core_.meta.write([&](Session& session) -> Result<void> {
        found.project.state = found.branch.state = State::ready;
        found.branch.state_change_time = core_.now();
        TRY(meta::update_project(session, found.project));
        TRY(meta::update_branch(session, found.branch));
        return meta::finish_operation(session, operation.id, core_.now());
    });
}

Result<void> Steps::create_branch(const OperationRow& operation) {
    struct Parts {
        BranchRow branch;
        Origin origin;
        std::vector<meta::EndpointRow> endpoints;
    };
    auto parts = TRY(core_.meta.read([&](Session& session) -> Result<Parts> {
        Parts all;
        all.branch = TRY(present(meta::get_branch(session, operation.resource_uid), "branch",
                                 operation.resource_uid));
        all.origin = TRY(origin_of(session, all.branch));
        all.endpoints = TRY(meta::list_endpoints(session, all.branch.uid));
        return all;
    }));
    auto& [branch, origin, endpoints] = parts;
    auto point = TRY(make_storage(operation, branch.lineage, origin));
    for (const auto& endpoint : endpoints) TRY(wake_.open_door(endpoint));
    return core_.meta.write([&](Session& session) -> Result<void> {
        branch.state = State::ready;
        branch.source_lsn = point.lsn;
        branch.source_time = branch.source_time.value_or(point.time);
        branch.state_change_time = core_.now();
        TRY(meta::update_branch(session, branch));
        return meta::finish_operation(session, operation.id, core_.now());
    });
}

Result<void> Steps::create_snapshot(const OperationRow& operation) {
    SnapshotRow snapshot;
    auto origin = TRY(core_.meta.read([&](Session& session) -> Result<Origin> {
        snapshot = TRY(present(meta::get_snapshot(session, operation.resource_uid), "snapshot",
                               operation.resource_uid));
        return origin_at(session, snapshot.source_uid, snapshot.source_name, snapshot.source_lsn);
    }));
    auto point = TRY(make_storage(operation, snapshot.lineage, origin));
    return core_.meta.write([&](Session& session) -> Result<void> {
        snapshot.state = State::ready;
        snapshot.source_lsn = point.lsn;
        snapshot.source_time = snapshot.source_time.value_or(point.time);
        TRY(meta::update_snapshot(session, snapshot));
        return meta::finish_operation(session, operation.id, core_.now());
    });
}

// Removing what was made, or begun.
Result<void> Steps::purge_snapshot(const OperationRow& operation) {
    const std::string& uid = operation.resource_uid;
    auto snapshot =
        TRY(core_.meta.read([&](Session& session) { return meta::get_snapshot(session, uid); }));
    if (snapshot)
        TRY_CTX(core_.computes.drop_lineage(snapshot->lineage), "drop the storage of {}",
                operation.resource_name);
    return core_.meta.write([&](Session& session) -> Result<void> {
        TRY(meta::erase_snapshot(session, uid));
        return meta::finish_operation(session, operation.id, core_.now());
    });
}

Result<compute::BranchPoint> Steps::make_storage(const OperationRow& operation,
                                                 const std::string& lineage, const Origin& origin) {
    bool runs = !origin.writer_uid.empty() &&
                core_.computes.status(origin.writer_uid).state == compute::ComputeState::running;
    auto lock = core_.lineages.shared(origin.lineage);
    return TRY_CTX(core_.computes.create_branch(lineage, origin.lineage,
                                                runs ? origin.writer_uid : "", origin.moment),
                   "{} from {}", what_of(operation), origin.name);
}

Result<void> Steps::replace_branch(const OperationRow& operation, OperationKind kind) {
    struct Parts {
        FoundBranch found;
        BranchRow replacement;
        Origin origin;
        std::vector<meta::EndpointRow> endpoints;
    };
    auto parts = TRY(core_.meta.read([&](Session& session) -> Result<Parts> {
        Parts all;
        BranchRow& branch = all.found.branch;
        branch = TRY(present(meta::get_branch(session, operation.resource_uid), "branch",
                             operation.resource_uid));
        all.found.project = TRY(present(meta::get_project(session, operation.project_uid),
                                        "project", operation.project_uid));
        all.replacement = TRY(present(meta::get_branch(session, branch.replaced_by.value_or("")),
                                      "what replaces branch", branch.uid));
        all.origin = TRY(origin_of(session, all.replacement));
        all.endpoints = TRY(meta::list_endpoints(session, branch.uid));
        return all;
    }));
    auto& [found, replacement, origin, endpoints] = parts;
    auto point = TRY(make_storage(operation, replacement.lineage, origin));
    std::vector<Wake::Hold> held;
    std::vector<std::string> ran;
    for (const auto& endpoint : endpoints) {
        held.push_back(wake_.hold(endpoint.uid));
        if (core_.computes.status(endpoint.uid).state != compute::ComputeState::stopped)
            ran.push_back(endpoint.uid);
        if (FrontDoor* door = core_.front_door.load())
            door->disconnect(endpoint.uid, error(Code::unavailable, "the branch was {}",
                                                 kind == OperationKind::reset_branch
                                                     ? "reset to its parent"
                                                     : "restored to another moment"));
        TRY(stop_endpoint(found.branch, endpoint));
    }
    // Only now does the branch stop being what it was.
    TRY(core_.computes.set_aside(replacement.lineage,
                                 replacement.source_time.value_or(point.time)));
    TRY(open_doors(replacement.uid));
    TRY(core_.meta.write([&](Session& session) -> Result<void> {
        TRY(change_places(core_, session, found, replacement, point, kind));
        return meta::finish_operation(session, operation.id, core_.now());
    }));
    held.clear();
    core_.board.announce();
    // For whoever was connected.
    for (const std::string& uid : ran)
        if (auto woken = wake_.wake(uid); !woken.ok())
            log::warn("control: {}", woken.error().text());
    return {};
}

Result<void> Steps::stop_project(const OperationRow& operation) {
    auto branches = TRY(core_.meta.read(
        [&](Session& session) { return meta::all_branches(session, operation.resource_uid); }));
    for (const BranchRow& branch : branches) TRY(stop_endpoints(branch));
    return finish(operation);
}

Result<void> Steps::stop_branch(const OperationRow& operation) {
    auto branch = TRY(core_.meta.read(
        [&](Session& session) { return meta::get_branch(session, operation.resource_uid); }));
    if (branch) TRY(stop_endpoints(*branch));
    return finish(operation);
}

Result<void> Steps::open_project(const OperationRow& operation) {
    auto branches = TRY(core_.meta.read(
        [&](Session& session) { return meta::all_branches(session, operation.resource_uid); }));
    for (const BranchRow& branch : branches)
        if (branch.state == State::ready) TRY(open_doors(branch.uid));
    return finish(operation);
}

Result<void> Steps::open_branch(const OperationRow& operation) {
    TRY(open_doors(operation.resource_uid));
    return finish(operation);
}

Result<void> Steps::open_doors(const std::string& branch_uid) {
    auto endpoints = TRY(core_.meta.read(
        [&](Session& session) { return meta::list_endpoints(session, branch_uid); }));
    for (const auto& endpoint : endpoints) TRY(wake_.open_door(endpoint));
    return {};
}

Result<void> Steps::purge_project(const OperationRow& operation) {
    const std::string& uid = operation.resource_uid;
    auto branches =
        TRY(core_.meta.read([&](Session& session) { return meta::all_branches(session, uid); }));
    auto snapshots =
        TRY(core_.meta.read([&](Session& session) { return meta::all_snapshots(session, uid); }));
    // The youngest first: what still has children is looked at again whenever one of them goes.
    for (auto branch = branches.rbegin(); branch != branches.rend(); ++branch)
        TRY(remove_storage(*branch));
    for (const SnapshotRow& snapshot : snapshots)
        TRY_CTX(core_.computes.drop_lineage(snapshot.lineage), "drop the storage of snapshot {}",
                snapshot.uid);
    return core_.meta.write([&](Session& session) -> Result<void> {
        for (const BranchRow& branch : branches) TRY(meta::erase_branch(session, branch.uid));
        for (const SnapshotRow& each : snapshots) TRY(meta::erase_snapshot(session, each.uid));
        TRY(meta::erase_project(session, uid));
        return meta::finish_operation(session, operation.id, core_.now());
    });
}

Result<void> Steps::purge_branch(const OperationRow& operation) {
    const std::string& uid = operation.resource_uid;
    auto branch =
        TRY(core_.meta.read([&](Session& session) { return meta::get_branch(session, uid); }));
    if (branch) TRY(remove_storage(*branch));
    return core_.meta.write([&](Session& session) -> Result<void> {
        TRY(meta::erase_branch(session, uid));
        return meta::finish_operation(session, operation.id, core_.now());
    });
}

Result<void> Steps::update_endpoint(const OperationRow& operation) {
    auto found = core_.meta.read(
        [&](Session& session) { return live_endpoint_by_uid(session, operation.resource_uid); });
    if (!found.ok()) return finish(operation);  // deleted since: nothing left to change
    const std::string& uid = found->endpoint.uid;
    bool runs = core_.computes.status(uid).state != compute::ComputeState::stopped;
    if (FrontDoor* door = core_.front_door.load(); door && runs)
        door->disconnect(uid, error(Code::unavailable, "the endpoint {} by an update",
                                    found->endpoint.disabled ? "was disabled" : "is restarted"));
    if (runs) TRY(wake_.stop(found->branch.lineage, uid));
    if (runs && !found->endpoint.disabled) TRY(wake_.start(*found));
    return finish(operation);
}

Result<void> Steps::stop_endpoints(const BranchRow& branch) {
    auto endpoints = TRY(core_.meta.read(
        [&](Session& session) { return meta::list_endpoints(session, branch.uid); }));
    for (const auto& endpoint : endpoints) {
        wake_.close_door(endpoint);
        TRY(stop_endpoint(branch, endpoint));
    }
    return {};
}

// A clean end first, so that the lineage's next start is a short one. The directory is made again
// from the lineage then.
Result<void> Steps::stop_endpoint(const BranchRow& branch, const meta::EndpointRow& endpoint) {
    TRY(wake_.stop(branch.lineage, endpoint.uid));
    return wake_.remove(branch.lineage, endpoint.uid);
}

Result<void> Steps::remove_storage(const BranchRow& branch) {
    auto endpoints = TRY(core_.meta.read(
        [&](Session& session) { return meta::list_endpoints(session, branch.uid); }));
    for (const auto& endpoint : endpoints) {
        wake_.close_door(endpoint);
        TRY(wake_.remove(branch.lineage, endpoint.uid));
    }
    TRY_CTX(core_.computes.drop_lineage(branch.lineage), "drop the storage of branch {}",
            branch.uid);
    return {};
}

Result<void> Steps::mark_failed(const OperationRow& operation, const Error& why) {
    return core_.meta.write([&](Session& session) -> Result<void> {
        TRY(meta::set_operation_error(session, operation.id, info(why.code()).api_code,
                                      why.text()));
        Time now = core_.now();
        if (operation.kind == info(OperationKind::create_project).name) {
            auto project = TRY(meta::get_project(session, operation.resource_uid));
            if (!project) return {};
            project->state = State::purging;
            project->delete_time = now;
            return meta::update_project(session, *project);
        }
        if (operation.kind == info(OperationKind::create_branch).name) {
            auto branch = TRY(meta::get_branch(session, operation.resource_uid));
            if (!branch) return {};
            branch->state = State::purging;
            branch->delete_time = branch->state_change_time = now;
            return meta::update_branch(session, *branch);
        }
        if (operation.kind == info(OperationKind::restore_branch).name ||
            operation.kind == info(OperationKind::reset_branch).name)
            return abandon_replacement(core_, session, operation.resource_uid);
        if (operation.kind == info(OperationKind::create_snapshot).name) {
            auto snapshot = TRY(meta::get_snapshot(session, operation.resource_uid));
            if (!snapshot) return {};
            snapshot->state = State::purging;
            return meta::update_snapshot(session, *snapshot);
        }
        return {};
    });
}

Result<void> Steps::finish(const OperationRow& operation) {
    return core_.meta.write([&](Session& session) {
        return meta::finish_operation(session, operation.id, core_.now());
    });
}

}  // namespace tarn::control
