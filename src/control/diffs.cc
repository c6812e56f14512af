#include "control/diffs.h"

#include <future>

#include "base/log.h"
#include "control/lookup.h"
#include "control/origin.h"
#include "control/uids.h"

namespace tarn::control {

namespace {

using meta::BranchRow;
using meta::Session;
using meta::State;

constexpr double kScratchSize = 1;  // compute units

diff::PageDiff pages_of(const compute::PageChanges& changes) {
    diff::PageDiff pages{.files = {}, .same_rows_in_shared_blocks = changes.same_fates};
    for (const auto& [file, blocks] : changes.relations) {
        auto& [ranges, changed] = pages.files[file];
        changed = blocks.changed;
        for (const auto& range : blocks.not_shared) ranges.push_back({range.begin, range.end});
    }
    return pages;
}

Result<void> record_purge(Core& core, Session& session, const BranchRow& row) {
    auto project = TRY(meta::get_project(session, row.project_uid));
    TRY(core.record(session, OperationKind::purge_branch,
                    branch_name(project ? project->id : "", row.id), row.uid, row.project_uid,
                    false));
    return {};
}

}  // namespace

Result<DiffView> Diffs::make(const DiffDraft& draft) {
    if (cancelled_) return error(Code::unavailable, "the server is ending");
    if (!slots_.try_acquire())
        return error(Code::unavailable, "two diffs are being made already")
            .with_hint("try again when one of them has ended");
    auto slot = std::unique_ptr<std::counting_semaphore<2>, void (*)(std::counting_semaphore<2>*)>(
        &slots_, [](std::counting_semaphore<2>* slots) { slots->release(); });
    Both both{TRY(draft_scratch(draft, draft.from)), TRY(draft_scratch(draft, draft.to))};
    auto project = TRY(core_.meta.write([&](Session& session) -> Result<meta::ProjectRow> {
        auto found = TRY(live_project(session, draft.project));
        for (const Scratch& scratch : both) TRY(meta::insert_branch(session, scratch.row));
        return found;
    }));
    auto opening =
        std::async(std::launch::async, [&] { return open(both[0], project.pg_version); });
    Result<void> opened = open(both[1], project.pg_version);
    Result<void> first_opened = opening.get();
    auto made = !first_opened ? Result<diff::Diff>(first_opened.error())
                : !opened     ? Result<diff::Diff>(opened.error())
                              : compare(both);
    close(both);
    auto side = [&](const Scratch& scratch) {
        return DiffView::Side{branch_name(project.id, scratch.source.id), scratch.point};
    };
    return DiffView{side(both[0]), side(both[1]),
                    TRY_CTX(std::move(made), "compare branch '{}' with '{}'", both[0].source.id,
                            both[1].source.id)};
}

Result<Diffs::Scratch> Diffs::draft_scratch(const DiffDraft& draft, const DiffSide& side) {
    TRY(core_.check_room("compare branches"));
    BranchSource source;
    source.at_lsn = side.at_lsn;
    source.at_time = side.at_time;
    Scratch scratch;
    auto found = TRY(core_.meta.read([&](Session& session) -> Result<FoundBranch> {
        auto branch = TRY(live_branch(session, draft.project, side.branch));
        TRY(check_moment(source, branch.project, core_.now()));
        return branch;
    }));
    scratch.source = found.branch;
    if (!found.branch.is_settled()) return conflicting_operation();
    scratch.endpoint_uid = draw_uid(core_.environment, "ep");
    BranchRow& row = scratch.row;
    row.uid = draw_uid(core_.environment, "br");
    row.id = "diff-of-" + found.branch.id;
    row.project_uid = found.project.uid;
    row.lineage = draw_lineage(core_.environment);
    row.state = State::purging;
    row.create_time = row.update_time = row.state_change_time = core_.now();
    row.delete_time = row.create_time;
    row.source_uid = found.branch.uid;
    row.source_name = branch_name(found.project.id, found.branch.id);
    if (!source.is_past()) return scratch;
    auto past = TRY_CTX(find_past_point(core_, found.branch, source), "compare branch '{}'",
                        found.branch.id);
    row.source_lsn = past.point.lsn;
    row.source_time = past.point.time;
    return scratch;
}

Result<void> Diffs::open(Scratch& scratch, int pg_major) {
    auto origin =
        TRY(core_.meta.read([&](Session& session) { return origin_of(session, scratch.row); }));
    bool runs = !origin.writer_uid.empty() &&
                core_.computes.status(origin.writer_uid).state == compute::ComputeState::running;
    {
        auto lock = core_.lineages.shared(origin.lineage);
        scratch.point = TRY(core_.computes.create_branch(
            scratch.row.lineage, origin.lineage, runs ? origin.writer_uid : "", origin.moment));
    }
    if (scratch.row.source_time) scratch.point.time = *scratch.row.source_time;
    TRY(core_.computes.start({.endpoint_uid = scratch.endpoint_uid,
                              .lineage = scratch.row.lineage,
                              .pg_major = pg_major,
                              .max_cu = kScratchSize,
                              .pg_settings = {{"autovacuum", "off"}}}));
    return {};
}

Result<diff::Diff> Diffs::compare(const Both& both) {
    auto changes = TRY(core_.computes.compare(both[0].endpoint_uid, both[1].endpoint_uid));
    return diff::compare(query_of(both[0]), query_of(both[1]), pages_of(changes));
}

diff::Query Diffs::query_of(const Scratch& scratch) {
    return [this, uid = scratch.endpoint_uid](const std::string& database,
                                              const std::string& statement) -> Result<diff::Rows> {
        if (cancelled_) return error(Code::unavailable, "the server is ending");
        return core_.computes.query(uid, database, statement);
    };
}

void Diffs::close(const Both& both) {
    for (const Scratch& scratch : both)
        if (auto removed = core_.computes.remove(scratch.endpoint_uid); !removed)
            log::warn("control: end what a diff has opened: {}", removed.error().text());
    auto recorded = core_.meta.write([&](Session& session) -> Result<void> {
        for (const Scratch& scratch : both) TRY(record_purge(core_, session, scratch.row));
        return {};
    });
    if (!recorded)  // the next start of the server does
        log::warn("control: purge what a diff has made: {}", recorded.error().text());
    core_.board.announce();
}

Result<void> Diffs::end_leftovers() {
    return core_.meta.write([&](Session& session) -> Result<void> {
        for (const BranchRow& row : TRY(meta::branches_left_behind(session)))
            TRY(record_purge(core_, session, row));
        return {};
    });
}

}  // namespace tarn::control
