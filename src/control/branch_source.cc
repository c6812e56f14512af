#include "control/branch_source.h"

namespace tarn::control {

Result<meta::BranchRow> branch_named(meta::Session& session, const meta::ProjectRow& project,
                                     const std::string& field, const std::string& name) {
    auto parsed = TRY(parse_name(field, name, ResourceKind::branch));
    if (parsed.project != project.id && parsed.project != project.uid)
        return error(Code::invalid_argument,
                     "source_branch field must point to the branch from the same Project");
    auto found = live_branch(session, project.uid, parsed.branch);
    if (!found) return std::move(found).error().with_hint(fmt::format("{} is '{}'", field, name));
    return found->branch;
}

Result<meta::SnapshotRow> snapshot_named(meta::Session& session, const meta::ProjectRow& project,
                                         const std::string& field, const std::string& name) {
    auto parsed = TRY(parse_name(field, name, ResourceKind::snapshot));
    if (parsed.project != project.id && parsed.project != project.uid)
        return error(Code::invalid_argument,
                     "source_snapshot field must point to a snapshot from the same Project");
    auto row = TRY(meta::find_snapshot(session, project.uid, parsed.leaf));
    if (!row || !is_live(row->state))
        return error(Code::not_found, "snapshot id not found")
            .with_hint(fmt::format("{} is '{}'", field, name));
    if (row->state != meta::State::ready) return conflicting_operation();
    return *row;
}

Result<void> set_source_branch(meta::BranchRow& row, const meta::BranchRow& source,
                               const meta::ProjectRow& project,
                               const std::optional<PastPoint>& past) {
    if (past && !past->is_of(source)) return conflicting_operation();
    row.source_uid = source.uid;
    row.source_name = branch_name(project.id, source.id);
    if (past) row.source_lsn = past->point.lsn, row.source_time = past->point.time;
    return {};
}

void set_source_snapshot(meta::BranchRow& row, const meta::SnapshotRow& snapshot,
                         const meta::ProjectRow& project) {
    row.source_uid = snapshot.source_uid;
    row.source_name = snapshot.source_name;
    row.source_lsn = snapshot.source_lsn;
    row.source_time = snapshot.source_time;
    row.source_snapshot_uid = snapshot.uid;
    row.source_snapshot_name = snapshot_name(project.id, snapshot.id);
}

Result<void> check_moment(const BranchSource& source, const meta::ProjectRow& project, Time now) {
    if (!source.snapshot.empty() && (source.is_past() || !source.branch.empty()))
        return error(Code::invalid_argument,
                     "'source_snapshot' cannot be given together with 'source_branch', "
                     "'source_branch_lsn' or 'source_branch_time'.");
    if (source.at_lsn && source.at_time)
        return error(Code::invalid_argument,
                     "Only one of 'source_branch_lsn' and 'source_branch_time' may be given.");
    if (!source.at_time) return {};
    if (*source.at_time < project.create_time)
        return error(Code::bad_request,
                     "The provided timestamp is before your project was created, try a more recent "
                     "timestamp.");
    if (*source.at_time > now)
        return error(Code::bad_request, "The provided timestamp is in the future.");
    if (*source.at_time < now - project.history_retention)
        return error(Code::bad_request,
                     "The provided timestamp is before {}, where the project's history retention "
                     "of {} begins, try a more recent timestamp.",
                     rfc3339(now - project.history_retention),
                     duration_text(project.history_retention));
    return {};
}

Result<PastPoint> find_past_point(Core& core, const meta::BranchRow& branch,
                                  const BranchSource& source) {
    if (!branch.is_settled()) return conflicting_operation();
    compute::Moment moment;
    if (source.at_lsn) moment = *source.at_lsn;
    if (source.at_time) moment = *source.at_time;
    auto lock = core.lineages.shared(branch.lineage);
    auto point = TRY(core.computes.find_moment(branch.lineage, moment));
    if (source.at_time) point.time = *source.at_time;
    return PastPoint{branch.lineage, point};
}

}  // namespace tarn::control
