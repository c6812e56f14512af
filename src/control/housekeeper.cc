#include "control/housekeeper.h"

#include <condition_variable>
#include <mutex>

#include "base/log.h"

namespace tarn::control {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{250};
constexpr int kTicksOfDueRound = 8;      // every two seconds
constexpr int kTicksOfSavedRound = 240;  // every minute

template <class Rows, class End>
void end_each(const Result<Rows>& rows, std::string_view what, End end) {
    if (!rows.ok()) {
        log::error("control: look for {}: {}", what, rows.error().text());
        return;
    }
    for (const auto& row : *rows) {
        auto ended = end(row.uid);
        if (!ended.ok()) log::warn("control: {} {}: {}", what, row.uid, ended.error().text());
    }
}

}  // namespace

void Housekeeper::start() {
    thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
}

void Housekeeper::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void Housekeeper::run(std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any ticks;
    for (int tick = 1; !stop.stop_requested(); ++tick) {
        restart_crashed();
        wake_.suspend_idle();
        if (tick % kTicksOfDueRound == 0) end_what_is_due();
        if (tick % kTicksOfSavedRound == 0) wake_.save_activity();
        std::unique_lock lock(mutex);
        ticks.wait_for(lock, stop, kTick, [] { return false; });
    }
}

void Housekeeper::run_once() {
    restart_crashed();
    wake_.suspend_idle();
    end_what_is_due();
    wake_.save_activity();
}

// Not waited for: a start that hangs must not hold up everything else.
void Housekeeper::restart_crashed() {
    for (const std::string& uid : wake_.crashed_in_use())
        wakers_.wake(uid, [uid](const Result<compute::ComputeStatus>& woken) {
            if (!woken.ok())
                log::warn("control: restart endpoint {}: {}", uid, woken.error().text());
        });
}

void Housekeeper::end_what_is_due() {
    Time now = core_.now();
    end_each(core_.meta.read([&](meta::Session& s) { return meta::branches_to_expire(s, now); }),
             "expire branch", [&](const std::string& uid) { return branches_.expire(uid); });
    end_each(core_.meta.read([&](meta::Session& s) { return meta::snapshots_to_expire(s, now); }),
             "expire snapshot", [&](const std::string& uid) { return snapshots_.expire(uid); });
    end_each(core_.meta.read([&](meta::Session& s) { return meta::branches_to_purge(s, now); }),
             "purge branch", [&](const std::string& uid) { return branches_.purge_deleted(uid); });
    end_each(core_.meta.read([&](meta::Session& s) { return meta::projects_to_purge(s, now); }),
             "purge project", [&](const std::string& uid) { return projects_.purge_deleted(uid); });
    auto forgotten = core_.meta.write([&](meta::Session& session) {
        return meta::erase_operations_finished_before(session,
                                                      now - core_.options.operation_retention);
    });
    if (!forgotten.ok()) log::warn("control: forget operations: {}", forgotten.error().text());
}

}  // namespace tarn::control
