#include "control/wake.h"

#include "base/log.h"

namespace tarn::control {

using compute::ComputeState;
using compute::ComputeStatus;

compute::ComputeSpec compute_spec(const FoundEndpoint& found) {
    return {.endpoint_uid = found.endpoint.uid,
            .lineage = found.branch.lineage,
            .pg_major = found.project.pg_version,
            .max_cu = found.endpoint.max_cu,
            .pg_settings = parse_pg_settings(found.endpoint.pg_settings)};
}

Result<ComputeStatus> Wake::wake(const std::string& endpoint_uid) {
    auto find = [&](meta::Session& session) { return live_endpoint_by_uid(session, endpoint_uid); };
    for (;;) {
        TRY(wait_while_held(endpoint_uid));
        auto found = TRY(core_.meta.read(find));
        if (found.branch.state != meta::State::ready || found.project.state != meta::State::ready)
            return error(Code::unavailable, "start endpoint {}: it is still being created",
                         endpoint_uid);
        if (auto failure = failed_lately(endpoint_uid)) return *failure;
        auto started = start(found);
        if (started.ok()) return started;
        // Did its branch get other storage in between? Then there is something else to start.
        auto now = TRY(core_.meta.read(find));
        if (!is_held(endpoint_uid) && now.branch.lineage == found.branch.lineage) return started;
    }
}

Result<void> Wake::wait_while_held(const std::string& endpoint_uid) {
    using std::chrono::steady_clock;
    auto until = steady_clock::now() + std::chrono::minutes{2};
    for (;;) {
        uint64_t seen = core_.board.version();
        if (!is_held(endpoint_uid)) return {};
        if (core_.board.is_closed() || steady_clock::now() >= until)
            return error(Code::unavailable, "start endpoint {}: its branch is being restored",
                         endpoint_uid)
                .with_hint("try again when the operation is done");
        core_.board.wait(seen, until);
    }
}

Wake::Hold Wake::hold(const std::string& endpoint_uid) {
    std::lock_guard lock(mutex_);
    held_.insert(endpoint_uid);
    return Hold(*this, endpoint_uid);
}

void Wake::release(const std::string& endpoint_uid) {
    {
        std::lock_guard lock(mutex_);
        held_.erase(endpoint_uid);
    }
    core_.board.announce();
}

bool Wake::is_held(const std::string& endpoint_uid) const {
    std::lock_guard lock(mutex_);
    return held_.contains(endpoint_uid);
}

// A driver that tries again in a loop would otherwise start and fail without a pause.
std::optional<Error> Wake::failed_lately(const std::string& endpoint_uid) {
    constexpr std::chrono::seconds kPause{1};
    std::lock_guard lock(mutex_);
    auto found = failures_.find(endpoint_uid);
    if (found == failures_.end()) return std::nullopt;
    auto since = core_.now() - found->second.at;
    if (since >= Span{0} && since < kPause) return found->second.why;
    return std::nullopt;
}

Result<ComputeStatus> Wake::start(const FoundEndpoint& found) {
    const std::string& uid = found.endpoint.uid;
    auto disabled = [&] {
        return error(Code::bad_request, "the endpoint has been disabled")
            .with_hint("enable it with update_endpoint (spec.disabled) and try again");
    };
    if (found.endpoint.disabled) return disabled();
    ComputeStatus status = core_.computes.status(uid);
    if (status.state == ComputeState::running) {
        note_running(uid);
        return status;
    }
    auto lock = core_.lineages.exclusive(found.branch.lineage);
    // While this thread waited for the lock the endpoint may have been changed or deleted.
    auto current = TRY(core_.meta.read(
        [&](meta::Session& session) { return live_endpoint_by_uid(session, uid); }));
    if (current.endpoint.disabled) return disabled();
    if (is_held(uid) || current.branch.lineage != found.branch.lineage)
        return error(Code::conflict, "start endpoint {}: its branch is being restored", uid);
    auto started = core_.computes.start(compute_spec(current));
    if (!started.ok()) {
        auto why = std::move(std::move(started).error()).context("start endpoint " + uid);
        std::lock_guard guard(mutex_);
        failures_.insert_or_assign(uid, Failure{core_.now(), why});
        return why;
    }
    note_running(uid);
    return started;
}

Result<void> Wake::stop(const std::string& lineage, const std::string& endpoint_uid) {
    auto lock = core_.lineages.exclusive(lineage);
    TRY_CTX(core_.computes.stop(endpoint_uid), "stop endpoint {}", endpoint_uid);
    std::lock_guard guard(mutex_);
    running_.erase(endpoint_uid);
    return {};
}

Result<void> Wake::remove(const std::string& lineage, const std::string& endpoint_uid) {
    auto lock = core_.lineages.exclusive(lineage);
    TRY_CTX(core_.computes.remove(endpoint_uid), "remove endpoint {}", endpoint_uid);
    std::lock_guard guard(mutex_);
    running_.erase(endpoint_uid);
    failures_.erase(endpoint_uid);
    return {};
}

Result<void> Wake::adopt() {
    core_.computes.on_exit([this](const std::string& uid) { note_exit(uid); });
    auto live =
        TRY(core_.meta.read([&](meta::Session& session) -> Result<std::vector<FoundEndpoint>> {
            std::vector<FoundEndpoint> all;
            for (const auto& row : TRY(meta::all_endpoints(session))) {
                auto found = live_endpoint_by_uid(session, row.uid);
                if (found.ok()) all.push_back(std::move(found).value());
            }
            return all;
        }));
    std::vector<compute::ComputeSpec> known;
    for (const auto& found : live) {
        // One that is still being made gets its door when it is done.
        if (found.branch.state == meta::State::ready) TRY(open_door(found.endpoint));
        if (!found.endpoint.disabled) known.push_back(compute_spec(found));
    }
    TRY_CTX(core_.computes.adopt(known), "adopt the computes of an earlier server");
    for (const auto& spec : known)
        if (core_.computes.status(spec.endpoint_uid).state == ComputeState::running)
            note_running(spec.endpoint_uid);
    return {};
}

void Wake::suspend_idle() {
    std::vector<std::string> candidates;
    {
        std::lock_guard lock(mutex_);
        for (const auto& entry : running_) candidates.push_back(entry.first);
    }
    for (const std::string& uid : candidates) suspend_if_idle(uid);
}

void Wake::suspend_if_idle(const std::string& uid) {
    auto found =
        core_.meta.read([&](meta::Session& session) { return live_endpoint_by_uid(session, uid); });
    if (!found.ok()) return;  // being deleted: the reconciler's business
    const meta::EndpointRow& endpoint = found->endpoint;
    auto is_idle = [&] {
        auto last = last_active(uid);
        return endpoint.suspend != kNever && last && core_.now() - *last >= endpoint.suspend &&
               activity(uid).blocking_sessions == 0;
    };
    if (found->branch.state != meta::State::ready || !is_idle()) return;
    auto lock = core_.lineages.exclusive(found->branch.lineage);
    if (!is_idle()) return;  // somebody woke it while this thread waited
    auto last = last_active(uid);
    auto stopped = core_.computes.stop(uid);
    if (!stopped.ok()) {
        log::warn("control: suspend endpoint {}: {}", uid, stopped.error().text());
        return;
    }
    {
        std::lock_guard guard(mutex_);
        running_.erase(uid);
    }
    log::info("control: suspended endpoint={} idle={}", uid, duration_text(core_.now() - *last));
    auto saved = core_.meta.write(
        [&](meta::Session& session) { return meta::touch_endpoint(session, uid, *last); });
    if (!saved.ok()) log::warn("control: save activity of {}: {}", uid, saved.error().text());
}

std::vector<std::string> Wake::crashed_in_use() {
    std::vector<std::string> crashed;
    {
        std::lock_guard lock(mutex_);
        crashed.swap(crashed_);
    }
    // The next connection will wake the others.
    std::erase_if(crashed, [&](const auto& uid) { return activity(uid).open_sessions == 0; });
    return crashed;
}

void Wake::save_activity() {
    std::map<std::string, Time> times;
    {
        std::lock_guard lock(mutex_);
        times = running_;
    }
    if (times.empty()) return;
    for (auto& [uid, time] : times) time = std::max(time, activity(uid).last_active);
    auto saved = core_.meta.write([&](meta::Session& session) -> Result<void> {
        for (const auto& [uid, time] : times) TRY(meta::touch_endpoint(session, uid, time));
        return {};
    });
    if (!saved.ok()) log::warn("control: save activity: {}", saved.error().text());
}

std::optional<Time> Wake::last_active(const std::string& uid) const {
    std::lock_guard lock(mutex_);
    auto entry = running_.find(uid);
    if (entry == running_.end()) return std::nullopt;
    return std::max(entry->second, activity(uid).last_active);
}

std::optional<Error> Wake::start_failure(const std::string& uid) const {
    std::lock_guard lock(mutex_);
    auto found = failures_.find(uid);
    if (found == failures_.end()) return std::nullopt;
    return found->second.why;
}

void Wake::note_running(const std::string& uid) {
    std::lock_guard lock(mutex_);
    running_[uid] = core_.now();
    failures_.erase(uid);
}

void Wake::note_exit(const std::string& uid) {
    std::lock_guard lock(mutex_);
    running_.erase(uid);
    crashed_.push_back(uid);
}

Result<void> Wake::open_door(const meta::EndpointRow& endpoint) {
    FrontDoor* door = core_.front_door.load();
    if (!door) return {};
    return door->open(endpoint.address);
}

void Wake::close_door(const meta::EndpointRow& endpoint) {
    if (FrontDoor* door = core_.front_door.load()) door->close(endpoint.uid, endpoint.address);
}

Activity Wake::activity(const std::string& uid) const {
    const FrontDoor* door = core_.front_door.load();
    return door ? door->activity(uid) : Activity{};
}

}  // namespace tarn::control
