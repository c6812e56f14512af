#include "control/restores.h"

#include <fmt/chrono.h>

#include "control/branches.h"
#include "control/uids.h"

namespace tarn::control {

namespace {

using meta::BranchRow;
using meta::OperationRow;
using meta::ProjectRow;
using meta::Session;
using meta::State;

std::string_view verb(OperationKind kind) {
    return kind == OperationKind::reset_branch ? "reset" : "restore";
}

bool preserves(const RestoreDraft& draft, OperationKind kind) {
    return draft.preserve.value_or(kind == OperationKind::restore_branch ||
                                   !draft.preserved_id.empty());
}

// "production-until-20261122-171502"
std::string drawn_id(const BranchRow& branch, Time now) {
    constexpr size_t kMostOfTheId = 38;  // 63 in all
    auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(now);
    return fmt::format("{}-until-{:%Y%m%d-%H%M%S}", branch.id.substr(0, kMostOfTheId), seconds);
}

Result<void> check_request(const RestoreDraft& draft, OperationKind kind) {
    if (!draft.preserved_id.empty()) {
        TRY(check_id("preserved_branch_id", draft.preserved_id));
        if (!preserves(draft, kind))
            return error(Code::invalid_argument,
                         "'preserved_branch_id' names the branch that keeps the state before, and "
                         "'preserve' says that there is to be none.");
    }
    bool from_elsewhere = !draft.source.branch.empty() || !draft.source.snapshot.empty();
    if (kind == OperationKind::reset_branch && from_elsewhere)
        return error(Code::invalid_argument,
                     "A reset takes the state of the parent: 'source_branch' and 'source_snapshot' "
                     "cannot be given.")
            .with_hint("use restore");
    if (kind == OperationKind::restore_branch && !draft.source.is_past() && !from_elsewhere)
        return error(Code::invalid_argument,
                     "One of 'source_branch_lsn', 'source_branch_time', 'source_snapshot' and "
                     "'source_branch' must be given.")
            .with_hint("say which moment to go back to");
    return {};
}

Result<void> check_may(Session& session, const BranchRow& branch, const RestoreDraft& draft,
                       OperationKind kind) {
    if (kind == OperationKind::restore_branch) {
        if (branch.is_protected && !preserves(draft, kind))
            return error(Code::bad_request,
                         "cannot restore protected branch '{}' without preserving its state",
                         branch.id)
                .with_hint("leave 'preserve' out, or remove the protection first");
        return {};
    }
    if (branch.is_protected)
        return error(Code::bad_request, "cannot reset protected branch '{}'", branch.id)
            .with_hint("remove the protection (spec.is_protected) first");
    if (branch.is_root())
        return error(Code::bad_request, "cannot reset root branch '{}': it has no parent",
                     branch.id)
            .with_hint("restore it to a moment of its own past");
    if (TRY(meta::count_children(session, branch.uid)) > 0)
        return error(Code::bad_request, "cannot reset branch '{}' that has children", branch.id)
            .with_hint("delete its child branches first");
    return {};
}

Result<BranchRow> source_of(Session& session, const FoundBranch& found, const RestoreDraft& draft,
                            OperationKind kind) {
    if (kind == OperationKind::restore_branch && draft.source.branch.empty()) return found.branch;
    if (kind == OperationKind::restore_branch)
        return branch_named(session, found.project, "source_branch", draft.source.branch);
    auto parent = TRY(meta::get_branch(session, found.branch.source_uid.value_or("")));
    if (!parent || !is_live(parent->state))
        return error(Code::bad_request, "cannot reset branch '{}': its parent is gone",
                     found.branch.id)
            .with_hint("restore it to a moment of its own past");
    return *parent;
}

void copy_source(BranchRow& row, const BranchRow& from) {
    row.source_uid = from.source_uid;
    row.source_name = from.source_name;
    row.source_lsn = from.source_lsn;
    row.source_time = from.source_time;
    row.source_snapshot_uid = from.source_snapshot_uid;
    row.source_snapshot_name = from.source_snapshot_name;
}

}  // namespace

Result<OperationRow> Restores::restore(const RestoreDraft& draft) {
    return replace(draft, OperationKind::restore_branch);
}

Result<OperationRow> Restores::reset(const RestoreDraft& draft) {
    return replace(draft, OperationKind::reset_branch);
}

Result<OperationRow> Restores::replace(const RestoreDraft& draft, OperationKind kind) {
    TRY(check_request(draft, kind));
    auto past = TRY(find_point(draft, kind));
    auto operation =
        TRY(core_.meta.write([&](Session& session) { return insert(session, draft, kind, past); }));
    core_.board.announce();
    return operation;
}

Result<std::optional<PastPoint>> Restores::find_point(const RestoreDraft& draft,
                                                      OperationKind kind) {
    auto source = TRY(core_.meta.read([&](Session& session) -> Result<BranchRow> {
        auto found = TRY(live_branch(session, draft.project, draft.branch));
        if (!found.branch.is_settled()) return conflicting_operation();
        TRY(check_may(session, found.branch, draft, kind));
        TRY(check_moment(draft.source, found.project, core_.now()));
        return source_of(session, found, draft, kind);
    }));
    if (!draft.source.is_past()) return std::optional<PastPoint>();
    return std::optional(TRY_CTX(find_past_point(core_, source, draft.source), "{} branch '{}'",
                                 verb(kind), draft.branch));
}

Result<OperationRow> Restores::insert(Session& session, const RestoreDraft& draft,
                                      OperationKind kind, const std::optional<PastPoint>& past) {
    auto found = TRY(live_branch(session, draft.project, draft.branch));
    auto& [project, branch] = found;
    if (!branch.is_settled()) return conflicting_operation();
    TRY(check_may(session, branch, draft, kind));
    TRY(core_.check_room(fmt::format("{} branch '{}'", verb(kind), branch.id)));
    BranchRow replacement = TRY(insert_replacement(session, found, draft, kind, past));
    branch.replaced_by = replacement.uid;
    branch.state_change_time = core_.now();
    TRY(meta::update_branch(session, branch));
    std::optional<std::string> preserved;
    if (preserves(draft, kind)) preserved = branch_name(project.id, replacement.id);
    return core_.record(session, kind, branch_name(project.id, branch.id), branch.uid, project.uid,
                        false, preserved);
}

Result<BranchRow> Restores::insert_replacement(Session& session, const FoundBranch& found,
                                               const RestoreDraft& draft, OperationKind kind,
                                               const std::optional<PastPoint>& past) {
    const auto& [project, branch] = found;
    Time now = core_.now();
    BranchRow row;
    row.uid = draw_uid(core_.environment, "br");
    row.project_uid = project.uid;
    row.id = draft.preserved_id.empty() ? drawn_id(branch, now) : draft.preserved_id;
    row.lineage = draw_lineage(core_.environment);
    if (draft.source.snapshot.empty()) {
        TRY(set_source_branch(row, TRY(source_of(session, found, draft, kind)), project, past));
    } else {
        set_source_snapshot(
            row, TRY(snapshot_named(session, project, "source_snapshot", draft.source.snapshot)),
            project);
    }
    row.create_time = row.update_time = row.state_change_time = now;
    row.expire_time = branch.expire_time;
    if (!preserves(draft, kind)) {
        // Nobody is to see it, neither now nor when it has what is to go.
        row.state = State::purging;
        row.delete_time = now;
        TRY(meta::insert_branch(session, row));
        return row;
    }
    if (TRY(meta::find_branch(session, project.uid, row.id)))
        return error(Code::already_exists, "branch already exists; branch_name:\"{}\"", row.id)
            .with_hint("choose another 'preserved_branch_id'");
    TRY(insert_branch_like(core_, session, project, row, branch.uid));
    return row;
}

Result<void> change_places(Core& core, Session& session, const FoundBranch& found,
                           const BranchRow& replacement, compute::BranchPoint point,
                           OperationKind kind) {
    auto [project, branch] = found;
    BranchRow kept = replacement;
    kept.source_lsn = point.lsn;
    kept.source_time = kept.source_time.value_or(point.time);
    TRY(meta::exchange_lineages(session, branch, kept));
    bool to_own_past = kept.source_uid == branch.uid && !kept.source_snapshot_uid;
    BranchRow before = branch;
    if (kind == OperationKind::reset_branch) {
        copy_source(branch, kept);
    } else if (to_own_past && !branch.is_root() && *kept.source_lsn < branch.source_lsn) {
        branch.source_lsn = kept.source_lsn;  // to before it was made
        branch.source_time = kept.source_time;
    }
    // What is kept takes the branch's place among its siblings; a root's becomes its child.
    if (!before.is_root()) {
        copy_source(kept, before);
    } else if (!to_own_past) {
        kept.source_uid = branch.uid;
        kept.source_name = branch_name(project.id, branch.id);
        kept.source_snapshot_uid = kept.source_snapshot_name = std::nullopt;
        kept.source_lsn.reset();  // that was a place in the past of something else
        kept.source_time.reset();
    }
    branch.replaced_by.reset();
    branch.state_change_time = branch.update_time = kept.state_change_time = core.now();
    // What was due until now would be taken of the new state.
    if (auto schedule = TRY(meta::get_snapshot_schedule(session, branch.uid))) {
        schedule->since = std::max(schedule->since, core.now());
        TRY(meta::put_snapshot_schedule(session, *schedule));
    }
    bool preserved = kept.state == State::creating;
    if (preserved) kept.state = State::ready;
    TRY(meta::update_branch(session, branch));
    TRY(meta::update_branch(session, kept));
    if (preserved) return {};
    TRY(core.record(session, OperationKind::purge_branch, branch_name(project.id, kept.id),
                    kept.uid, project.uid, false));
    return {};
}

Result<void> abandon_replacement(Core& core, Session& session, const std::string& branch_uid) {
    auto branch = TRY(meta::get_branch(session, branch_uid));
    if (!branch || !branch->replaced_by) return {};
    auto replacement = TRY(meta::get_branch(session, *branch->replaced_by));
    branch->replaced_by.reset();
    branch->state_change_time = core.now();
    TRY(meta::update_branch(session, *branch));
    if (!replacement) return {};
    replacement->state = State::purging;
    replacement->delete_time = replacement->state_change_time = core.now();
    TRY(meta::update_branch(session, *replacement));
    auto project = TRY(meta::get_project(session, branch->project_uid));
    TRY(core.record(session, OperationKind::purge_branch,
                    branch_name(project ? project->id : "", replacement->id), replacement->uid,
                    branch->project_uid, false));
    return {};
}

}  // namespace tarn::control
