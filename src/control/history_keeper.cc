#include "control/history_keeper.h"

#include <condition_variable>
#include <limits>
#include <mutex>

#include "base/log.h"
#include "meta/branches.h"
#include "meta/projects.h"

namespace tarn::control {

namespace {

struct Branch {
    std::string lineage;
    Span retention;
};

Result<std::vector<Branch>> every_branch(meta::Session& session) {
    std::vector<Branch> all;
    constexpr auto kAll = std::numeric_limits<int64_t>::max();
    for (const auto& project : TRY(meta::list_projects(session, "", true, kAll)))
        for (const auto& branch : TRY(meta::all_branches(session, project.uid)))
            if (branch.state == meta::State::ready || branch.state == meta::State::deleted)
                all.push_back({branch.lineage, project.history_retention});
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
        run_once(stop);
        std::unique_lock lock(mutex);
        rounds.wait_for(lock, stop, core_.options.history_round, [] { return false; });
    }
}

void HistoryKeeper::run_once(const std::stop_token& stop) {
    auto branches = core_.meta.read(every_branch);
    if (!branches.ok()) {
        log::error("control: look for branches: {}", branches.error().text());
        return;
    }
    for (const auto& [lineage, retention] : *branches) {
        if (stop.stop_requested()) return;
        auto trimmed = core_.computes.trim_history(lineage, core_.now() - retention);
        if (!trimmed.ok()) log::warn("control: {}", trimmed.error().text());
    }
}

}  // namespace tarn::control
