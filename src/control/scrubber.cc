#include "control/scrubber.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "base/log.h"
#include "control/branch_health.h"

namespace tarn::control {

namespace {

using meta::VerificationRow;

// How often it is looked whether something is due.
constexpr Span kMostOften = std::chrono::milliseconds{200};
constexpr Span kLeastOften = std::chrono::seconds{60};

std::string json_lines(const std::vector<std::string>& lines) {
    // A path may hold any bytes.
    return nlohmann::json(lines).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void Scrubber::start() {
    if (core_.options.scrub_every == Span{0}) return;
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void Scrubber::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void Scrubber::run(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any ticks;
    Span tick = std::clamp(core_.options.scrub_every / 10, kMostOften, kLeastOften);
    while (!stop.stop_requested()) {
        if (auto done = run_once(stop); !done.ok())
            log::error("control: look for damage: {}", done.error().text());
        std::unique_lock lock(mutex);
        ticks.wait_for(lock, stop, tick, [] { return false; });
    }
}

Result<void> Scrubber::run_once(const std::stop_token& stop) {
    auto rows = TRY(due());
    if (rows.empty()) return {};
    auto round =
        core_.computes.begin_verifying({.bytes_a_second = core_.options.scrub_rate,
                                        .stopped = [stop] { return stop.stop_requested(); }});
    for (VerificationRow& row : rows) {
        if (stop.stop_requested()) return {};
        TRY(verify(*round, std::move(row), stop));
    }
    return {};
}

Result<std::vector<VerificationRow>> Scrubber::due() {
    auto lineages = TRY(core_.computes.lineages());
    std::set<std::string> there(lineages.begin(), lineages.end());
    auto known = TRY(core_.meta.read(meta::all_verifications));
    std::vector<std::string> gone;
    std::vector<VerificationRow> rows;
    for (VerificationRow& row : known) {
        if (there.erase(row.lineage) == 0)
            gone.push_back(row.lineage);
        else
            rows.push_back(std::move(row));
    }
    if (!gone.empty() || !there.empty())
        TRY(core_.meta.write([&](meta::Session& session) -> Result<void> {
            for (const std::string& lineage : gone) TRY(meta::erase_checks(session, lineage));
            for (const std::string& lineage : there) {
                VerificationRow met;
                met.lineage = lineage;
                met.seen_time = core_.now();
                TRY(meta::put_verification(session, met));
            }
            return {};
        }));
    std::sort(rows.begin(), rows.end(),
              [](const auto& one, const auto& other) { return one.last() < other.last(); });
    Span every = core_.options.scrub_every;
    if (rows.empty() || rows.front().last() + every > core_.now())
        return std::vector<VerificationRow>();
    std::erase_if(rows, [&](const auto& row) { return row.last() + every / 2 > core_.now(); });
    return rows;
}

Result<void> Scrubber::verify(compute::VerifyRound& round, VerificationRow row,
                              const std::stop_token& stop) {
    auto found = round.verify(row.lineage);
    std::string name = TRY(name_of(row.lineage));
    if (found.ok() && !*found) return {};  // it is gone
    bool not_now = !found.ok() && found.error().code() == Code::unavailable;
    if (not_now && (stop.stop_requested() || row.verify_time)) return {};  // the next round does
    row.verify_time = core_.now();
    if (not_now) {
        // There is nothing in it yet: it waits as if it had only been met now.
        row.verify_time.reset();
        row.seen_time = core_.now();
    } else if (!found.ok()) {
        log::error("control: {} cannot be verified: {}", name, found.error().text());
        row.failure = found.error().text();
        // What was known of it is so no more, and nothing else is known either.
        row.verify_time.reset();
        row.seen_time = core_.now();
    } else {
        const compute::Verified& verified = **found;
        for (const std::string& damage : verified.damages)
            log::error("control: damage: {}: {}", name, damage);
        if (verified.damage_count > 0) log::error("control: {}: {}", name, verified.summary);
        row.failure.reset();
        if (verified.damage_count == 0) row.whole_time = row.verify_time;
        row.bytes = static_cast<int64_t>(verified.bytes);
        row.damage_count = static_cast<int64_t>(verified.damage_count);
        row.damages = json_lines(verified.damages);
        row.newest_whole_lsn.reset();
        row.newest_whole_time.reset();
        if (verified.newest_whole) {
            row.newest_whole_lsn = verified.newest_whole->lsn;
            row.newest_whole_time = verified.newest_whole->time;
        }
    }
    return core_.meta.write(
        [&](meta::Session& session) { return meta::put_verification(session, row); });
}

Result<std::string> Scrubber::name_of(const compute::LineageId& lineage) {
    auto owner = TRY(core_.meta.read(
        [&](meta::Session& session) { return meta::owner_of_lineage(session, lineage); }));
    if (!owner) return "lineage " + lineage;
    return fmt::format("{} {} (lineage {})", owner->is_snapshot ? "snapshot" : "branch",
                       owner_name(*owner), lineage);
}

}  // namespace tarn::control
