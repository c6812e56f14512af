#include "compute/endpoint_runner.h"

#include <signal.h>

#include <set>
#include <utility>

#include "base/log.h"
#include "compute/fence.h"
#include "compute/files.h"
#include "compute/postgres_process.h"
#include "compute/shared_memory.h"
#include "compute/spares.h"
#include "compute/spawn.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

using std::chrono::milliseconds;

// Redo of a crash's WAL may take long; a supervisor that says nothing for longer than this hangs.
constexpr milliseconds kStartLimit{600'000};
constexpr milliseconds kStopLimit{90'000};
constexpr milliseconds kGreetingLimit{5'000};

bool has_started(const PhaseReport& report) {
    return report.phase != Phase::starting;
}

}  // namespace

// ---- start -------------------------------------------------------------------------------------

Result<ComputeStatus> EndpointRunner::start(const ComputeSpec& spec) {
    TRY(check_endpoint_uid(spec.endpoint_uid));
    auto endpoint = endpoints_.find_or_make(spec.endpoint_uid);
    std::promise<Result<ComputeStatus>> promise;
    std::shared_future<Result<ComputeStatus>> shared;
    {
        std::lock_guard held(endpoint->mutex);
        if (endpoint->starting.valid())
            shared = endpoint->starting;
        else
            endpoint->starting = promise.get_future().share();
    }
    if (shared.valid()) return shared.get();  // somebody else's start is ours too
    Result<ComputeStatus> result = ComputeStatus{};
    {
        std::lock_guard busy(endpoint->busy);
        result = start_locked(endpoint, spec);
    }
    std::lock_guard held(endpoint->mutex);
    endpoint->starting = {};
    promise.set_value(result);
    return result;
}

Result<ComputeStatus> EndpointRunner::start_locked(const std::shared_ptr<Endpoint>& endpoint,
                                                   const ComputeSpec& spec) {
    if (endpoints_.letting_go()) return error(Code::unavailable, "the server is ending");
    // It may have been removed while this waited for `busy`, and even made again.
    if (endpoints_.find(endpoint->uid) != endpoint)
        return error(Code::not_found, "endpoint {} is being removed", endpoint->uid);
    auto channel = endpoint->current_channel();
    if (channel && !channel->is_closed()) {
        channel->wait(has_started, kStartLimit);
        if (endpoint->status().state == ComputeState::running) return endpoint->status();
        TRY(stop_locked(*endpoint, Order::stop));
    }
    uint64_t lineage = TRY(parse_lineage_id(spec.lineage));
    TRY(endpoints_.claim(*endpoint, lineage));
    return spawn(endpoint, TRY(specs_.write(spec, lineage)));
}

Result<ComputeStatus> EndpointRunner::spawn(const std::shared_ptr<Endpoint>& endpoint,
                                            const std::string& spec_path) {
    auto command = options_.supervisor_command;
    command.push_back(spec_path);
    auto log_file = layout_.endpoint(endpoint->uid) + "/log/supervisor.log";
    auto spawned = TRY(spawn_supervisor(command, log_file, user_));
    auto channel = endpoints_.attach(endpoint, std::move(spawned.control), spawned.pid,
                                     layout_.run_directory(endpoint->uid));
    channel->wait(has_started, kStartLimit);
    auto report = channel->current();
    if (report.phase == Phase::running) {
        spares_.fill_up();
        return endpoint->status();
    }
    if (report.phase == Phase::failed)
        return Error(report.code, report.reason).with_hint(report.hint);
    if (channel->is_closed()) {
        auto complaint = last_complaint(log_file, spawned.log_begin);
        return error(Code::unavailable, "its supervisor has ended: {}{}{}", report.reason,
                     complaint.empty() ? "" : "; the last it said: ", complaint);
    }
    ::kill(spawned.pid, SIGKILL);
    return error(Code::timed_out, "no answer from its supervisor in {} seconds",
                 kStartLimit.count() / 1000);
}

// ---- stop --------------------------------------------------------------------------------------

Result<void> EndpointRunner::stop(const std::string& endpoint_uid) {
    auto found = endpoints_.find(endpoint_uid);
    if (!found) return {};
    std::lock_guard busy(found->busy);
    return stop_locked(*found, Order::stop);
}

Result<void> EndpointRunner::stop_locked(Endpoint& endpoint, Order how) {
    std::shared_ptr<Channel> channel;
    {
        std::lock_guard held(endpoint.mutex);
        channel = endpoint.channel;
        endpoint.expected_end = true;
    }
    if (!channel) return {};
    auto asked = channel->ask(how, kStopLimit);
    if (!asked && asked.error().code() == Code::timed_out)
        return std::move(std::move(asked).error()).context("stop endpoint " + endpoint.uid);
    channel->wait([](const PhaseReport&) { return false; }, kStopLimit);  // until it hangs up
    if (endpoints_.letting_go()) return error(Code::unavailable, "the server is ending");
    if (!channel->is_closed())
        return error(Code::timed_out, "stop endpoint {}: its supervisor does not end",
                     endpoint.uid);
    channel.reset();
    endpoint.detach();
    return {};
}

// Whoever is left of a compute whose supervisor was killed works in its directory: that must not
// become anybody else's before he is gone.
Result<void> EndpointRunner::end_orphans(const std::string& endpoint_uid, uint64_t lineage) {
    constexpr std::chrono::seconds kLimit{30};
    // Another endpoint's start has seen to orphans, and holds the lock for good reason.
    if (!endpoints_.running_on(lineage, endpoint_uid).empty()) return {};
    auto path = lineage_lock_path(layout_.store_root(), lineage);
    if (!exists(path)) return {};
    TRY_CTX(seize_lock(path, kLimit), "end what is left of endpoint {}", endpoint_uid);
    return {};
}

Result<void> EndpointRunner::remove(const std::string& endpoint_uid) {
    TRY(check_endpoint_uid(endpoint_uid));
    if (auto found = endpoints_.find(endpoint_uid)) {
        std::lock_guard busy(found->busy);
        TRY(stop_locked(*found, Order::kill));
        endpoints_.forget(endpoint_uid);
    }
    ActAs acting(user_);
    if (auto spec = specs_.read(endpoint_uid)) {
        TRY(end_orphans(endpoint_uid, spec->lineage));
        remove_shared_memory(spec->pgdata());
        keep_as_spare(layout_.spares(), spec->pg_major, spec->pgdata());
    }
    TRY(sys::remove_tree(sys::real_disk(), layout_.run_directory(endpoint_uid)));
    return sys::remove_tree(sys::real_disk(), layout_.endpoint(endpoint_uid));
}

// ---- after a restart of the server -------------------------------------------------------------

Result<void> EndpointRunner::adopt(const std::vector<ComputeSpec>& known) {
    std::set<std::string> known_uids;
    for (const auto& spec : known) known_uids.insert(spec.endpoint_uid);
    for (const auto& uid : TRY(sys::list_names_if_any(sys::real_disk(), layout_.endpoints()))) {
        if (!check_endpoint_uid(uid)) continue;
        adopt_one(uid, known_uids.contains(uid));
        if (!known_uids.contains(uid)) {
            log::info("compute: endpoint {} is not known any more: removed", uid);
            TRY(remove(uid));
        }
    }
    return {};
}

void EndpointRunner::adopt_one(const std::string& uid, bool known) {
    auto spec = specs_.read(uid);
    auto run_directory = layout_.run_directory(uid);
    auto socket = Channel::connect(control_socket_in(run_directory));
    auto endpoint = endpoints_.find_or_make(uid);
    {
        std::lock_guard held(endpoint->mutex);
        if (endpoint->runs()) return;
        if (spec) endpoint->lineage = spec->lineage;
    }
    if (socket) {
        endpoints_.attach(endpoint, std::move(*socket), 0, run_directory)
            ->wait([](const PhaseReport&) { return true; }, kGreetingLimit);
        log::info("compute: endpoint {} adopted{}", uid, known ? "" : ", to be removed");
        return;
    }
    if (!spec) return;
    // No supervisor: whoever is left of the compute must not go on writing, and its memory is
    // nobody's. It may sleep for long before a start would find that.
    if (auto ended = end_orphans(uid, spec->lineage); !ended)
        log::warn("compute: {}", ended.error().text());
    else
        remove_shared_memory(spec->pgdata());
}

}  // namespace tarn::compute
