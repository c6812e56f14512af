// diffs.h: what differs between two branches, or two moments of one.
//
// Both sides are opened as branches of their own that nobody sees (scratch_branch.h).
//
// Threads: any; a diff blocks its caller. Two at most run at once.
#pragma once

#include <array>
#include <atomic>
#include <semaphore>
#include <string>

#include "control/core.h"
#include "control/scratch_branch.h"
#include "diff/diff.h"

namespace tarn::control {

struct DiffSide {
    std::string branch;  // its id or uid
    std::optional<Lsn> at_lsn;
    std::optional<Time> at_time;  // neither: as it is now
};

struct DiffDraft {
    std::string project;
    DiffSide from;
    DiffSide to;
};

struct DiffView {
    struct Side {
        std::string branch;  // its name
        compute::BranchPoint point;
    };
    Side from;
    Side to;
    diff::Diff diff;
};

class Diffs {
  public:
    explicit Diffs(Core& core) : core_(core) {}

    Result<DiffView> make(const DiffDraft& draft);
    // The server is about to end: diffs under way end with `unavailable`, and none begins.
    void cancel() { cancelled_ = true; }
    // Of an earlier server: what it has not purged.
    Result<void> end_leftovers();

  private:
    using Both = std::array<ScratchBranch, 2>;

    Result<ScratchBranch> draft_side(const DiffDraft& draft, const DiffSide& side);
    Result<diff::Diff> diff_sides(const Both& both);
    diff::Query query_of(const ScratchBranch& scratch);

    Core& core_;
    std::counting_semaphore<2> slots_{2};
    std::atomic<bool> cancelled_ = false;
};

}  // namespace tarn::control
