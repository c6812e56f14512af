#include "compute/verify_round.h"

#include <algorithm>
#include <thread>

#include "compute/layout.h"
#include "compute/lost_records.h"
#include "compute/verify_lineage.h"
#include "compute/verify_text.h"
#include "sys/idle_thread.h"

namespace tarn::compute {

namespace {

using std::chrono::steady_clock;

constexpr size_t kDamagesTold = 20;
// How soon a pause notices that the round is to end.
constexpr std::chrono::milliseconds kStep{20};

Verified told(const LineageFindings& findings) {
    Verified verified;
    verified.damage_count = findings.damage_count;
    size_t shown = std::min(findings.damages.size(), kDamagesTold);
    for (size_t at = 0; at < shown; ++at)
        verified.damages.push_back(damage_text(findings.damages[at]));
    verified.summary = summary_text(findings, shown);
    if (findings.newest_whole)
        verified.newest_whole =
            BranchPoint{findings.newest_whole->lsn, findings.newest_whole->time};
    return verified;
}

}  // namespace

PacedRound::PacedRound(const store::Store& store, const ComputeUser& user, Pace pace)
    : store_(store),
      user_(user),
      pace_(std::move(pace)),
      verifier_(store.disk(), store.root()),
      next_(steady_clock::now()) {
    verifier_.on_progress([this] { return go_on(); });
}

Result<std::optional<Verified>> PacedRound::verify(const LineageId& id) {
    uint64_t lineage = TRY(parse_lineage_id(id));
    std::optional<Result<std::optional<Verified>>> answer;
    // The caller has locks to take that others wait for, so it keeps its priority.
    std::thread reader([&] {
        sys::become_idle();
        ActAs acting(user_);
        answer = read(lineage);
    });
    reader.join();
    return std::move(*answer);
}

Result<std::optional<Verified>> PacedRound::read(uint64_t lineage) {
    uint64_t before = verifier_.counts().bytes;
    may_pause_ = true;
    auto pages = read_pages(lineage);
    may_pause_ = false;
    if (!pages.ok()) return std::move(pages).error();
    // In the directory of one that is being removed no lock is to be made.
    if (TRY(is_gone(store_, lineage))) return std::optional<Verified>();
    auto findings = verify_lineage(store_, verifier_, lineage);
    verifier_.close_files();
    if (!findings.ok()) return std::move(findings).error();
    if (!*findings) return std::optional<Verified>();
    Verified verified = told(**findings);
    verified.bytes = verifier_.counts().bytes - before + (*findings)->wal_bytes;
    owe((*findings)->wal_bytes);
    (void)pause();  // what was found counts, even if the round is to end
    return std::optional(std::move(verified));
}

// What cannot be read is told when the history is held.
Result<void> PacedRound::read_pages(uint64_t lineage) {
    auto incarnations = store_.incarnations(lineage);
    if (!incarnations.ok()) return {};
    for (uint32_t number : *incarnations) {
        store::LogId log{lineage, number};
        if (auto record = store_.incarnation(log); record.ok() && record->base.number != 0)
            TRY(read_indexes(record->base));
        auto points = store_.restore_points(log);
        if (!points.ok()) continue;
        for (uint32_t point : *points) TRY(read_indexes({log, point}));
    }
    return {};
}

Result<void> PacedRound::read_indexes(const store::RestorePointId& id) {
    auto point = store_.restore_point(id);
    if (!point.ok()) return {};
    for (const store::IndexRef& ref : point->indexes) TRY(verifier_.index(ref));
    return {};
}

Result<void> PacedRound::go_on() {
    uint64_t bytes = verifier_.counts().bytes;
    owe(bytes - paid_);
    paid_ = bytes;
    if (may_pause_) return pause();
    if (pace_.stopped && pace_.stopped()) return error(Code::unavailable, "the round is to end");
    return {};
}

// Whoever was slow need not hurry afterwards.
void PacedRound::owe(uint64_t bytes) {
    auto span = std::chrono::duration<double>(static_cast<double>(bytes) /
                                              static_cast<double>(pace_.bytes_a_second));
    next_ = std::max(next_, steady_clock::now()) +
            std::chrono::duration_cast<steady_clock::duration>(span);
}

Result<void> PacedRound::pause() {
    for (;;) {
        if (pace_.stopped && pace_.stopped())
            return error(Code::unavailable, "the round is to end");
        auto now = steady_clock::now();
        if (now >= next_) return {};
        std::this_thread::sleep_for(std::min<steady_clock::duration>(kStep, next_ - now));
    }
}

}  // namespace tarn::compute
