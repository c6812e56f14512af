#include "control/scratch_branch.h"

#include "base/log.h"
#include "control/origin.h"
#include "control/uids.h"

namespace tarn::control {

namespace {

using meta::BranchRow;
using meta::Session;
using meta::State;

constexpr double kSize = 1;  // compute units

Result<void> record_purge(Core& core, Session& session, const BranchRow& row) {
    auto project = TRY(meta::get_project(session, row.project_uid));
    TRY(core.record(session, OperationKind::purge_branch,
                    branch_name(project ? project->id : "", row.id), row.uid, row.project_uid,
                    false));
    return {};
}

}  // namespace

Result<ScratchBranch> draft_scratch(Core& core, const std::string& project,
                                    const std::string& branch, const BranchSource& moment,
                                    const std::string& prefix) {
    ScratchBranch scratch;
    auto found = TRY(core.meta.read([&](Session& session) -> Result<FoundBranch> {
        auto source = TRY(live_branch(session, project, branch));
        TRY(check_moment(moment, source.project, core.now()));
        return source;
    }));
    scratch.source = found.branch;
    if (!found.branch.is_settled()) return conflicting_operation();
    scratch.endpoint_uid = draw_uid(core.environment, "ep");
    BranchRow& row = scratch.row;
    row.uid = draw_uid(core.environment, "br");
    row.id = prefix + found.branch.id;
    row.project_uid = found.project.uid;
    row.lineage = draw_lineage(core.environment);
    row.state = State::purging;
    row.create_time = row.update_time = row.state_change_time = core.now();
    row.delete_time = row.create_time;
    row.source_uid = found.branch.uid;
    row.source_name = branch_name(found.project.id, found.branch.id);
    if (!moment.is_past()) return scratch;
    auto past =
        TRY_CTX(find_past_point(core, found.branch, moment), "open branch '{}'", found.branch.id);
    row.source_lsn = past.point.lsn;
    row.source_time = past.point.time;
    return scratch;
}

Result<meta::ProjectRow> write_scratch(Core& core, const std::string& project,
                                       std::span<const ScratchBranch> branches) {
    return core.meta.write([&](Session& session) -> Result<meta::ProjectRow> {
        auto found = TRY(live_project(session, project));
        for (const ScratchBranch& each : branches) TRY(meta::insert_branch(session, each.row));
        return found;
    });
}

Result<void> open_scratch(Core& core, ScratchBranch& scratch, int pg_major) {
    auto origin =
        TRY(core.meta.read([&](Session& session) { return origin_of(session, scratch.row); }));
    bool runs = !origin.writer_uid.empty() &&
                core.computes.status(origin.writer_uid).state == compute::ComputeState::running;
    {
        auto lock = core.lineages.shared(origin.lineage);
        scratch.point = TRY(core.computes.create_branch(
            scratch.row.lineage, origin.lineage, runs ? origin.writer_uid : "", origin.moment));
    }
    if (scratch.row.source_time) scratch.point.time = *scratch.row.source_time;
    TRY(core.computes.start({.endpoint_uid = scratch.endpoint_uid,
                             .lineage = scratch.row.lineage,
                             .pg_major = pg_major,
                             .max_cu = kSize,
                             .pg_settings = {{"autovacuum", "off"}}}));
    return {};
}

void close_scratch(Core& core, std::span<const ScratchBranch> branches) {
    for (const ScratchBranch& each : branches)
        if (auto removed = core.computes.remove(each.endpoint_uid); !removed)
            log::warn("control: end branch {} that was opened to look at it: {}", each.row.id,
                      removed.error().text());
    auto recorded = core.meta.write([&](Session& session) -> Result<void> {
        for (const ScratchBranch& each : branches) TRY(record_purge(core, session, each.row));
        return {};
    });
    if (!recorded)  // the next start of the server does
        log::warn("control: purge what was opened to look at it: {}", recorded.error().text());
    core.board.announce();
}

Result<void> purge_left_scratch(Core& core) {
    return core.meta.write([&](Session& session) -> Result<void> {
        for (const BranchRow& row : TRY(meta::branches_left_behind(session)))
            TRY(record_purge(core, session, row));
        return {};
    });
}

}  // namespace tarn::control
