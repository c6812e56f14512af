#include "control/snapshots.h"

#include <fmt/chrono.h>

#include <map>

#include "base/log.h"
#include "control/uids.h"

namespace tarn::control {

namespace {

using meta::BranchRow;
using meta::OperationRow;
using meta::ProjectRow;
using meta::Session;
using meta::SnapshotRow;
using meta::SnapshotScheduleRow;
using meta::State;

constexpr int kMostByHand = 10;  // the service's limit, per project

Result<BranchRow> source_of(Session& session, const SnapshotDraft& draft,
                            const ProjectRow& project) {
    return branch_named(session, project, "spec.source_branch", draft.source.branch);
}

Result<SnapshotRow> live_snapshot(Session& session, const ProjectRow& project,
                                  const std::string& id) {
    auto row = TRY(meta::find_snapshot(session, project.uid, id));
    if (!row || !is_live(row->state)) return error(Code::not_found, "snapshot id not found");
    return *row;
}

Result<std::optional<Time>> expire_time(const Expiration& expiration, Time now) {
    if (std::holds_alternative<NoExpiry>(expiration)) return std::optional<Time>();
    const Span* ttl = std::get_if<Span>(&expiration);
    Time at = ttl ? now + *ttl : std::get<Time>(expiration);
    if (at > now) return std::optional(at);
    return error(Code::invalid_argument, "Field '{}' must lie in the future, got {}.",
                 ttl ? "spec.ttl" : "spec.expire_time", ttl ? duration_text(*ttl) : rfc3339(at));
}

// "production-20261122-0300": of a schedule, whose hours are whole.
std::string id_of_due(const std::string& branch_id, Time due) {
    constexpr size_t kMostOfTheId = 49;  // 63 in all
    return fmt::format("{}-{:%Y%m%d-%H%M}", branch_id.substr(0, kMostOfTheId),
                       std::chrono::time_point_cast<std::chrono::seconds>(due));
}

Result<SnapshotScheduleView> schedule_of(Session& session, const FoundBranch& found) {
    SnapshotScheduleView view{
        .project_id = found.project.id, .branch_id = found.branch.id, .cadences = {}};
    if (auto row = TRY(meta::get_snapshot_schedule(session, found.branch.uid)))
        view.cadences = TRY(parse_cadences(row->cadences));
    return view;
}

// Would it fail again whenever it is tried?
bool is_for_good(const Error& failure) {
    return failure.code() == Code::bad_request || failure.code() == Code::not_found ||
           failure.code() == Code::data_loss;
}

}  // namespace

Result<OperationRow> Snapshots::create(const SnapshotDraft& draft) {
    TRY(check_id("snapshot_id", draft.id));
    auto past = TRY(find_point(draft));
    auto operation = TRY(
        core_.meta.write([&](Session& session) { return insert(session, draft, past, false); }));
    core_.board.announce();
    return operation;
}

Result<std::optional<PastPoint>> Snapshots::find_point(const SnapshotDraft& draft) {
    auto source = TRY(core_.meta.read([&](Session& session) -> Result<BranchRow> {
        ProjectRow project = TRY(live_project(session, draft.project));
        TRY(check_moment(draft.source, project, core_.now()));
        return source_of(session, draft, project);
    }));
    if (!draft.source.is_past()) return std::optional<PastPoint>();
    return std::optional(TRY_CTX(find_past_point(core_, source, draft.source),
                                 "create snapshot '{}' of '{}'", draft.id, source.id));
}

Result<OperationRow> Snapshots::insert(Session& session, const SnapshotDraft& draft,
                                       const std::optional<PastPoint>& past, bool is_scheduled) {
    ProjectRow project = TRY(live_project(session, draft.project));
    if (TRY(meta::find_snapshot(session, project.uid, draft.id)))
        return error(Code::already_exists, "snapshot already exists; snapshot_name:\"{}\"",
                     draft.id);
    BranchRow source = TRY(source_of(session, draft, project));
    if (past && !past->is_of(source)) return conflicting_operation();
    int by_hand = 0;
    for (const SnapshotRow& each : TRY(meta::all_snapshots(session, project.uid)))
        by_hand += !each.is_scheduled && is_live(each.state) ? 1 : 0;
    if (!is_scheduled && by_hand >= kMostByHand)
        return error(Code::quota_exceeded,
                     "snapshots limit exceeded: a project has at most {} that were not scheduled",
                     kMostByHand)
            .with_hint("delete one first");

    SnapshotRow row;
    row.uid = draw_uid(core_.environment, "snap");
    row.project_uid = project.uid;
    row.id = draft.id;
    row.lineage = draw_lineage(core_.environment);
    row.source_uid = source.uid;
    row.source_name = branch_name(project.id, source.id);
    if (past) row.source_lsn = past->point.lsn, row.source_time = past->point.time;
    row.is_scheduled = is_scheduled;
    row.create_time = core_.now();
    if (draft.expiration) row.expire_time = TRY(expire_time(*draft.expiration, row.create_time));
    TRY(meta::insert_snapshot(session, row));
    return core_.record(session, OperationKind::create_snapshot, snapshot_name(project.id, row.id),
                        row.uid, project.uid, false);
}

Result<SnapshotView> Snapshots::get(const std::string& project, const std::string& id) {
    ProjectRow owner;
    auto row = TRY(core_.meta.read([&](Session& session) -> Result<SnapshotRow> {
        owner = TRY(live_project(session, project));
        return live_snapshot(session, owner, id);
    }));
    return view(owner.id, std::move(row));
}

Result<SnapshotView> Snapshots::get_by_uid(const std::string& uid) {
    std::string project_id;
    auto row = TRY(core_.meta.read([&](Session& session) -> Result<SnapshotRow> {
        auto found = TRY(meta::get_snapshot(session, uid));
        if (!found) return error(Code::not_found, "snapshot id not found");
        auto owner = TRY(meta::get_project(session, found->project_uid));
        if (!owner) return error(Code::not_found, "project id not found");
        project_id = owner->id;
        return *found;
    }));
    return view(project_id, std::move(row));
}

Result<Page<SnapshotView>> Snapshots::list(const std::string& project, const std::string& after_id,
                                           size_t limit) {
    ProjectRow owner;
    auto rows = TRY(core_.meta.read([&](Session& session) -> Result<std::vector<SnapshotRow>> {
        owner = TRY(live_project(session, project));
        return meta::list_snapshots(session, owner.uid, after_id, static_cast<int64_t>(limit) + 1);
    }));
    Page<SnapshotView> page;
    page.more = rows.size() > limit;
    if (page.more) rows.pop_back();
    for (auto& row : rows) page.items.push_back(view(owner.id, std::move(row)));
    return page;
}

Result<OperationRow> Snapshots::remove(const std::string& project, const std::string& id) {
    auto operation = TRY(core_.meta.write([&](Session& session) -> Result<OperationRow> {
        ProjectRow owner = TRY(live_project(session, project));
        return drop(session, TRY(live_snapshot(session, owner, id)));
    }));
    core_.board.announce();
    return operation;
}

Result<void> Snapshots::expire(const std::string& uid) {
    TRY(core_.meta.write([&](Session& session) -> Result<OperationRow> {
        auto row = TRY(meta::get_snapshot(session, uid));
        if (!row || row->state != State::ready || !row->expire_time ||
            *row->expire_time > core_.now())
            return error(Code::conflict, "snapshot {} does not expire now", uid);
        return drop(session, *row);
    }));
    core_.board.announce();
    return {};
}

Result<OperationRow> Snapshots::drop(Session& session, SnapshotRow row) {
    if (row.state != State::ready) return conflicting_operation();
    auto project = TRY(meta::get_project(session, row.project_uid));
    if (!project) return error(Code::not_found, "project id not found");
    row.state = State::purging;
    TRY(meta::update_snapshot(session, row));
    return core_.record(session, OperationKind::delete_snapshot, snapshot_name(project->id, row.id),
                        row.uid, project->uid, false);
}

Result<SnapshotScheduleView> Snapshots::schedule(const std::string& project,
                                                 const std::string& branch) {
    return core_.meta.read([&](Session& session) -> Result<SnapshotScheduleView> {
        return schedule_of(session, TRY(live_branch(session, project, branch)));
    });
}

Result<SnapshotScheduleView> Snapshots::schedule_by_uid(const std::string& branch_uid) {
    return core_.meta.read([&](Session& session) -> Result<SnapshotScheduleView> {
        auto branch = TRY(present(meta::get_branch(session, branch_uid), "branch", branch_uid));
        auto project = TRY(
            present(meta::get_project(session, branch.project_uid), "project", branch.project_uid));
        return schedule_of(session, {project, branch});
    });
}

Result<OperationRow> Snapshots::set_schedule(const std::string& project, const std::string& branch,
                                             const std::vector<Cadence>& cadences) {
    for (size_t i = 0; i < cadences.size(); ++i) TRY(check_cadence(cadences[i], i));
    return core_.meta.write([&](Session& session) -> Result<OperationRow> {
        auto found = TRY(live_branch(session, project, branch));
        // Set once more to what it is, it still takes what has become due.
        std::string text = cadences_text(cadences);
        auto before = TRY(meta::get_snapshot_schedule(session, found.branch.uid));
        if (!before || before->cadences != text)
            TRY(meta::put_snapshot_schedule(session, {found.branch.uid, text, core_.now()}));
        return core_.record(session, OperationKind::update_snapshot_schedule,
                            snapshot_schedule_name(found.project.id, found.branch.id),
                            found.branch.uid, found.project.uid, true);
    });
}

void Snapshots::take_due() {
    auto schedules = core_.meta.read(meta::all_snapshot_schedules);
    if (!schedules.ok()) {
        log::error("control: look for snapshot schedules: {}", schedules.error().text());
        return;
    }
    for (const auto& schedule : *schedules)
        if (auto taken = take_due_of(schedule); !taken.ok())
            log::warn("control: scheduled snapshot of branch {}: {}", schedule.branch_uid,
                      taken.error().text());
}

Result<void> Snapshots::take_due_of(const SnapshotScheduleRow& schedule) {
    Time now = core_.now();
    // Due together means one snapshot, kept for the longest.
    std::map<Time, Span> due;
    for (const Cadence& cadence : TRY(parse_cadences(schedule.cadences))) {
        Time time = last_due(cadence, now);
        if (time > schedule.since) due[time] = std::max(due[time], cadence.retention);
    }
    if (due.empty()) return {};
    auto found = TRY(core_.meta.read([&](Session& session) -> Result<std::optional<FoundBranch>> {
        auto branch = TRY(meta::get_branch(session, schedule.branch_uid));
        if (!branch || branch->state != State::ready) return std::optional<FoundBranch>();
        auto project = TRY(meta::get_project(session, branch->project_uid));
        if (!project || project->state != State::ready) return std::optional<FoundBranch>();
        return std::optional(FoundBranch{*project, *branch});
    }));
    if (!found || found->branch.replaced_by) return {};  // perhaps in the next round
    std::optional<Error> failure;
    for (const auto& [time, retention] : due) {
        if (time + retention <= now) continue;  // its time has been, while the server was down
        SnapshotDraft draft{.project = found->project.uid,
                            .id = id_of_due(found->branch.id, time),
                            .source = {.branch = branch_name(found->project.id, found->branch.uid),
                                       .at_lsn = {},
                                       .at_time = time,
                                       .snapshot = {}},
                            .expiration = time + retention};
        auto past = find_point(draft);
        if (!past.ok()) {
            if (!is_for_good(past.error())) return past.error();  // the next round tries again
            failure = past.error();
            continue;
        }
        TRY(core_.meta.write([&](Session& session) { return insert_due(session, draft, **past); }));
    }
    TRY(core_.meta.write([&](Session& session) -> Result<void> {
        auto current = TRY(meta::get_snapshot_schedule(session, schedule.branch_uid));
        if (!current || current->cadences != schedule.cadences) return {};
        current->since = std::max(current->since, due.rbegin()->first);
        return meta::put_snapshot_schedule(session, *current);
    }));
    core_.board.announce();
    if (failure) return *failure;
    return {};
}

// Once, also if an earlier round began with it.
Result<void> Snapshots::insert_due(Session& session, SnapshotDraft draft, const PastPoint& past) {
    ProjectRow project = TRY(live_project(session, draft.project));
    BranchRow source = TRY(source_of(session, draft, project));
    auto holder = TRY(meta::find_snapshot(session, project.uid, draft.id));
    if (holder && (holder->source_uid != source.uid || !holder->is_scheduled)) {
        // Of a branch whose long id begins the same, of one that had this id before, or by hand.
        draft.id = id_of_due(source.uid, *draft.source.at_time);
        holder = TRY(meta::find_snapshot(session, project.uid, draft.id));
    }
    if (holder) return {};
    TRY(insert(session, draft, past, true));
    return {};
}

SnapshotView Snapshots::view(const std::string& project_id, SnapshotRow row) const {
    SnapshotView view{.row = std::move(row), .project_id = project_id};
    if (view.row.state != State::ready) return view;
    auto size = core_.computes.logical_size(view.row.lineage);
    if (size.ok()) view.full_size_bytes = *size;
    return view;
}

}  // namespace tarn::control
