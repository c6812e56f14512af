#include "control/diffs.h"

#include <future>

namespace tarn::control {

Result<DiffView> Diffs::make(const DiffDraft& draft) {
    if (cancelled_) return error(Code::unavailable, "the server is ending");
    if (!slots_.try_acquire())
        return error(Code::unavailable, "two diffs are being made already")
            .with_hint("try again when one of them has ended");
    auto slot = std::unique_ptr<std::counting_semaphore<2>, void (*)(std::counting_semaphore<2>*)>(
        &slots_, [](std::counting_semaphore<2>* slots) { slots->release(); });
    Both both{TRY(draft_side(draft, draft.from)), TRY(draft_side(draft, draft.to))};
    auto project = TRY(write_scratch(core_, draft.project, both));
    auto opening = std::async(std::launch::async,
                              [&] { return open_scratch(core_, both[0], project.pg_version); });
    Result<void> opened = open_scratch(core_, both[1], project.pg_version);
    Result<void> first_opened = opening.get();
    auto made = !first_opened ? Result<diff::Diff>(first_opened.error())
                : !opened     ? Result<diff::Diff>(opened.error())
                              : diff_sides(both);
    close_scratch(core_, both);
    auto side = [&](const ScratchBranch& scratch) {
        return DiffView::Side{branch_name(project.id, scratch.source.id), scratch.point};
    };
    return DiffView{side(both[0]), side(both[1]),
                    TRY_CTX(std::move(made), "compare branch '{}' with '{}'", both[0].source.id,
                            both[1].source.id)};
}

Result<ScratchBranch> Diffs::draft_side(const DiffDraft& draft, const DiffSide& side) {
    TRY(core_.check_room("compare branches"));
    BranchSource moment;
    moment.at_lsn = side.at_lsn;
    moment.at_time = side.at_time;
    return draft_scratch(core_, draft.project, side.branch, moment, "diff-of-");
}

Result<diff::Diff> Diffs::diff_sides(const Both& both) {
    auto pages = TRY(core_.computes.page_changes(both[0].endpoint_uid, both[1].endpoint_uid));
    return diff::diff_servers(query_of(both[0]), query_of(both[1]), pages);
}

diff::Query Diffs::query_of(const ScratchBranch& scratch) {
    return [this, uid = scratch.endpoint_uid](const std::string& database,
                                              const std::string& statement) -> Result<diff::Rows> {
        if (cancelled_) return error(Code::unavailable, "the server is ending");
        return core_.computes.query(uid, database, statement);
    };
}

Result<void> Diffs::end_leftovers() {
    return purge_left_scratch(core_);
}

}  // namespace tarn::control
