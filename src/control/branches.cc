#include "control/branches.h"

#include "control/endpoints.h"
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

Result<std::optional<Time>> expire_time(const Expiration& expiration, Time from, Time now) {
    if (std::holds_alternative<NoExpiry>(expiration)) return std::optional<Time>();
    if (const Span* ttl = std::get_if<Span>(&expiration)) {
        TRY(check_ttl("spec.ttl", *ttl));
        return std::optional(from + *ttl);
    }
    Time at = std::get<Time>(expiration);
    TRY(check_ttl("spec.expire_time", at - now));
    return std::optional(at);
}

// At most one branch of a project is protected.
Result<void> check_protectable(Session& session, const BranchRow& row) {
    for (const BranchRow& other : TRY(meta::all_branches(session, row.project_uid)))
        if (other.uid != row.uid && other.is_protected && is_live(other.state))
            return error(Code::quota_exceeded,
                         "protected branches limit exceeded: branch '{}' is protected already and "
                         "a project has at most one",
                         other.id);
    return {};
}

Result<BranchRow> source_of(Session& session, const BranchDraft& draft, const ProjectRow& project) {
    const std::string& name = draft.source.branch;
    BranchRow source =
        name.empty() ? TRY(live_branch(session, project.uid, project.default_branch_uid)).branch
                     : TRY(branch_named(session, project, "spec.source_branch", name));
    if (source.expire_time)
        return error(Code::bad_request,
                     "cannot branch from a branch that expires; branch_name:\"{}\"", source.id);
    return source;
}

// Puts the patch into the row and checks what comes out.
Result<void> merge(Session& session, BranchRow& row, const BranchPatch& patch,
                   const ProjectRow& project, Time now) {
    if (patch.expiration)
        row.expire_time = TRY(expire_time(*patch.expiration, row.create_time, now));
    if (patch.is_protected) {
        row.is_protected = *patch.is_protected;
        if (row.is_protected) TRY(check_protectable(session, row));
    }
    if (!row.expire_time) return {};
    if (row.is_protected) return error(Code::bad_request, "cannot expire protected branch");
    if (row.is_root() || project.default_branch_uid == row.uid)
        return error(Code::bad_request, "cannot expire default or root branch");
    if (TRY(meta::count_children(session, row.uid)) > 0)
        return error(Code::bad_request, "cannot expire branch that has children");
    return {};
}

}  // namespace

Result<void> insert_branch_like(Core& core, Session& session, const ProjectRow& project,
                                const BranchRow& row, const std::string& like) {
    if (TRY(meta::count_branches(session, project.uid)) >= core.options.most_branches)
        return error(Code::quota_exceeded,
                     "branches limit exceeded: project '{}' has {}, those among them that are "
                     "deleted and can be undeleted",
                     project.id, core.options.most_branches)
            .with_hint("delete branches with purge=true, or make another project");
    TRY(meta::insert_branch(session, row));
    TRY(meta::insert_endpoint(session, TRY(draft_primary(core, session, project, row.uid, {}))));
    TRY(meta::copy_roles(session, like, row.uid));
    return meta::copy_databases(session, like, row.uid);
}

Result<OperationRow> Branches::create(const BranchDraft& draft) {
    TRY(check_id("branch_id", draft.id));
    auto past = TRY(find_point(draft));
    auto operation =
        TRY(core_.meta.write([&](Session& session) { return insert(session, draft, past); }));
    core_.board.announce();
    return operation;
}

Result<std::optional<PastPoint>> Branches::find_point(const BranchDraft& draft) {
    if (!draft.source.is_past()) return std::optional<PastPoint>();
    auto source = TRY(core_.meta.read([&](Session& session) -> Result<std::optional<BranchRow>> {
        ProjectRow project = TRY(live_project(session, draft.project));
        // insert() says what follows from that.
        if (TRY(meta::find_branch(session, project.uid, draft.id)))
            return std::optional<BranchRow>();
        TRY(check_moment(draft.source, project, core_.now()));
        return std::optional(TRY(source_of(session, draft, project)));
    }));
    if (!source) return std::optional<PastPoint>();
    return std::optional(TRY_CTX(find_past_point(core_, *source, draft.source),
                                 "create branch '{}' from '{}'", draft.id, source->id));
}

Result<OperationRow> Branches::insert(Session& session, const BranchDraft& draft,
                                      const std::optional<PastPoint>& past) {
    ProjectRow project = TRY(live_project(session, draft.project));
    if (auto taken = TRY(meta::find_branch(session, project.uid, draft.id))) {
        if (draft.replace_existing && is_live(taken->state))
            return apply(session, project, *taken, draft.values);
        return error(Code::already_exists, "branch already exists; branch_name:\"{}\"", draft.id);
    }
    TRY(core_.check_room(fmt::format("create branch '{}'", draft.id)));
    if (!draft.values.expiration)
        return error(Code::invalid_argument, "Expiration must be specified when creating a branch")
            .with_hint("give one of spec.ttl, spec.expire_time and spec.no_expiry");

    BranchRow row;
    row.uid = draw_uid(core_.environment, "br");
    row.project_uid = project.uid;
    row.id = draft.id;
    row.lineage = draw_lineage(core_.environment);
    TRY(check_moment(draft.source, project, core_.now()));
    if (!draft.source.snapshot.empty()) {
        set_source_snapshot(
            row,
            TRY(snapshot_named(session, project, "spec.source_snapshot", draft.source.snapshot)),
            project);
    } else {
        BranchRow source = TRY(source_of(session, draft, project));
        // A moment that nobody looked for: the id was taken then, and is not now.
        if (draft.source.is_past() && !past) return conflicting_operation();
        TRY(set_source_branch(row, source, project, past));
    }
    row.create_time = row.update_time = row.state_change_time = core_.now();
    TRY(merge(session, row, draft.values, project, core_.now()));
    // A snapshot may outlive the branch that it is of.
    auto source = TRY(meta::get_branch(session, *row.source_uid));
    TRY(insert_branch_like(core_, session, project, row,
                           source ? source->uid : project.default_branch_uid));
    return core_.record(session, OperationKind::create_branch, branch_name(project.id, row.id),
                        row.uid, project.uid, false);
}

Result<BranchView> Branches::get(const std::string& project, const std::string& id) {
    auto found =
        TRY(core_.meta.read([&](Session& session) { return live_branch(session, project, id); }));
    return view(found.project, found.branch);
}

Result<BranchView> Branches::get_by_uid(const std::string& uid) {
    ProjectRow project;
    auto row = TRY(core_.meta.read([&](Session& session) -> Result<BranchRow> {
        auto branch = TRY(meta::get_branch(session, uid));
        if (!branch) return error(Code::not_found, "branch id not found");
        auto owner = TRY(meta::get_project(session, branch->project_uid));
        if (!owner) return error(Code::not_found, "project id not found");
        project = *owner;
        return *branch;
    }));
    return view(project, row);
}

Result<Page<BranchView>> Branches::list(const std::string& project, const std::string& after_id,
                                        const std::string& after_uid, bool show_deleted,
                                        size_t limit) {
    ProjectRow owner;
    auto rows = TRY(core_.meta.read([&](Session& session) -> Result<std::vector<BranchRow>> {
        owner = TRY(live_project(session, project));
        return meta::list_branches(session, owner.uid, after_id, after_uid, show_deleted,
                                   static_cast<int64_t>(limit) + 1);
    }));
    Page<BranchView> page;
    page.more = rows.size() > limit;
    if (page.more) rows.pop_back();
    for (const auto& row : rows) page.items.push_back(view(owner, row));
    return page;
}

Result<OperationRow> Branches::update(const std::string& project, const std::string& id,
                                      const BranchPatch& patch) {
    return core_.meta.write([&](Session& session) -> Result<OperationRow> {
        auto found = TRY(live_branch(session, project, id));
        return apply(session, found.project, found.branch, patch);
    });
}

Result<OperationRow> Branches::apply(Session& session, const ProjectRow& project, BranchRow row,
                                     const BranchPatch& patch) {
    if (!row.is_settled()) return conflicting_operation();
    TRY(merge(session, row, patch, project, core_.now()));
    row.update_time = core_.now();
    TRY(meta::update_branch(session, row));
    return core_.record(session, OperationKind::update_branch, branch_name(project.id, row.id),
                        row.uid, project.uid, true);
}

namespace {

// The one of this uid, or of those of this id.
Result<std::optional<BranchRow>> youngest_deleted(Session& session, const ProjectRow& project,
                                                  const std::string& id) {
    std::optional<BranchRow> youngest;
    for (const BranchRow& row : TRY(meta::all_branches(session, project.uid)))
        if (row.state == State::deleted && (row.uid == id || row.id == id) &&
            (!youngest || youngest->delete_time < row.delete_time))
            youngest = row;
    return youngest;
}

}  // namespace

Result<OperationRow> Branches::remove(const std::string& project, const std::string& id,
                                      bool purge) {
    auto operation = TRY(core_.meta.write([&](Session& session) -> Result<OperationRow> {
        auto found = live_branch(session, project, id);
        if (found.ok()) return drop(session, found->project, found->branch, purge);
        if (!purge || found.error().code() != Code::not_found) return found.error();
        // One that was deleted before may go for good before its time. Not by its id: clients send
        // a request again whose answer is lost, and that must not take the one before with it.
        ProjectRow owner = TRY(live_project(session, project));
        auto row = TRY(meta::get_branch(session, id));
        bool is_deleted = row && row->project_uid == owner.uid && row->state == State::deleted;
        if (!is_deleted) return found.error();
        return purge_now(session, owner, std::move(*row));
    }));
    core_.board.announce();
    return operation;
}

Result<OperationRow> Branches::drop(Session& session, const ProjectRow& project, BranchRow row,
                                    bool purge) {
    if (!row.is_settled()) return conflicting_operation();
    std::string name = branch_name(project.id, row.id);
    if (row.is_protected) return error(Code::bad_request, "cannot delete protected branch");
    if (row.is_root())
        return error(Code::bad_request,
                     "Cannot delete root branch '{}'. Root branches cannot be deleted "
                     "independently.",
                     name)
            .with_reason("MANAGED_BY_PARENT");
    if (project.default_branch_uid == row.uid)
        return error(Code::bad_request, "cannot delete default branch")
            .with_hint(
                "make another branch the default (spec.default_branch of the project) first");
    if (TRY(meta::count_children(session, row.uid)) > 0)
        return error(Code::bad_request, "cannot delete branch that has children")
            .with_hint("delete its child branches first");
    purge = purge || core_.options.deleted_retention == Span{0};
    Time now = core_.now();
    row.state = purge ? State::purging : State::deleted;
    row.delete_time = row.state_change_time = row.update_time = now;
    row.purge_time = purge ? now : now + core_.options.deleted_retention;
    TRY(meta::update_branch(session, row));
    return core_.record(session, purge ? OperationKind::purge_branch : OperationKind::delete_branch,
                        name, row.uid, project.uid, false);
}

Result<OperationRow> Branches::remove_missing(const std::string& project, const std::string& id) {
    return core_.meta.write([&](Session& session) -> Result<OperationRow> {
        ProjectRow owner = TRY(live_project(session, project));
        return core_.record(session, OperationKind::delete_branch, branch_name(owner.id, id), "",
                            owner.uid, true);
    });
}

Result<OperationRow> Branches::undelete(const std::string& project, const std::string& id) {
    auto operation = TRY(core_.meta.write([&](Session& session) -> Result<OperationRow> {
        ProjectRow owner = TRY(live_project(session, project));
        auto row = TRY(youngest_deleted(session, owner, id));
        if (!row) return error(Code::not_found, "branch id not found");
        if (TRY(meta::find_branch(session, owner.uid, row->id)))
            return error(Code::already_exists, "branch already exists; branch_name:\"{}\"",
                         row->id);
        row->state = State::ready;
        row->state_change_time = row->update_time = core_.now();
        row->delete_time = row->purge_time = std::nullopt;
        // It has come back to stay: its time may have passed long ago.
        row->expire_time = std::nullopt;
        TRY(meta::update_branch(session, *row));
        return core_.record(session, OperationKind::undelete_branch, branch_name(owner.id, row->id),
                            row->uid, owner.uid, false);
    }));
    core_.board.announce();
    return operation;
}

Result<void> Branches::expire(const std::string& uid) {
    TRY(core_.meta.write([&](Session& session) -> Result<OperationRow> {
        auto row = TRY(meta::get_branch(session, uid));
        if (!row || row->state != State::ready || !row->expire_time ||
            *row->expire_time > core_.now())
            return error(Code::conflict, "branch {} does not expire now", uid);
        auto project = TRY(meta::get_project(session, row->project_uid));
        if (!project) return error(Code::not_found, "project id not found");
        return drop(session, *project, *row, false);
    }));
    core_.board.announce();
    return {};
}

Result<OperationRow> Branches::purge_now(Session& session, const ProjectRow& project,
                                         BranchRow row) {
    row.state = State::purging;
    row.purge_time = row.update_time = core_.now();
    TRY(meta::update_branch(session, row));
    return core_.record(session, OperationKind::purge_branch, branch_name(project.id, row.id),
                        row.uid, project.uid, false);
}

Result<void> Branches::purge_deleted(const std::string& uid) {
    TRY(core_.meta.write([&](Session& session) -> Result<OperationRow> {
        auto row = TRY(meta::get_branch(session, uid));
        if (!row || row->state != State::deleted)
            return error(Code::conflict, "branch {} is not deleted", uid);
        auto project = TRY(meta::get_project(session, row->project_uid));
        if (!project) return error(Code::not_found, "project id not found");
        return purge_now(session, *project, std::move(*row));
    }));
    core_.board.announce();
    return {};
}

BranchView Branches::view(const ProjectRow& project, const BranchRow& row) const {
    BranchView view{.row = row,
                    .project_id = project.id,
                    .is_default = project.default_branch_uid == row.uid};
    if (row.state != State::ready) return view;
    // A size that cannot be told now is no reason to refuse the rest.
    auto size = core_.computes.logical_size(row.lineage);
    if (size.ok()) view.logical_size_bytes = *size;
    return view;
}

}  // namespace tarn::control
