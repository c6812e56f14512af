#include "control/history_keeper.h"

#include <condition_variable>
#include <limits>
#include <mutex>

#include "base/log.h"
#include "meta/branches.h"
#include "meta/projects.h"
#include "meta/snapshots.h"

namespace tarn::control {

namespace {

struct Kept {
    std::string lineage;
    Span retention;
};

Result<std::vector<Kept>> everything(meta::Session& session) {
    std::vector<Kept> all;
    constexpr auto kAll = std::numeric_limits<int64_t>::max();
    for (const auto& project : TRY(meta::list_projects(session, "", true, kAll))) {
        for (const auto& branch : TRY(meta::all_branches(session, project.uid)))
            if (branch.state == meta::State::ready || branch.state == meta::State::deleted)
                all.push_back({branch.lineage, project.history_retention});
        // They have no history of their own; what they were made from may be nobody's by now.
        for (const auto& snapshot : TRY(meta::all_snapshots(session, project.uid)))
            if (snapshot.state == meta::State::ready)
                all.push_back({snapshot.lineage, project.history_retention});
    }
    return all;
}

}  // namespace

void HistoryKeeper::start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void HistoryKeeper::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void HistoryKeeper::run(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any rounds;
    while (!stop.stop_requested()) {
        // A branch that is written to fast leaves more in a pause than a round takes.
        if (run_once(stop)) continue;
        std::unique_lock lock(mutex);
        rounds.wait_for(lock, stop, core_.options.history_round, [] { return false; });
    }
}

bool HistoryKeeper::run_once(const std::stop_token& stop) {
    snapshots_.take_due();  // before what they are of is let go of
    auto kept = core_.meta.read(everything);
    if (!kept.ok()) {
        log::error("control: look for histories: {}", kept.error().text());
        return false;
    }
    bool has_more = false;
    for (const auto& [lineage, retention] : *kept) {
        if (stop.stop_requested()) return false;
        auto trimmed = core_.computes.trim_history(lineage, core_.now() - retention);
        if (!trimmed.ok()) log::warn("control: {}", trimmed.error().text());
        has_more = has_more || (trimmed.ok() && *trimmed);
    }
    return has_more;
}

}  // namespace tarn::control
