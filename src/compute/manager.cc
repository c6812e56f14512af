#include "compute/manager.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <utility>

#include "base/log.h"
#include "compute/attachments.h"
#include "compute/birth.h"
#include "compute/channel.h"
#include "compute/fence.h"
#include "compute/files.h"
#include "compute/lost_records.h"
#include "compute/page_changes.h"
#include "compute/postgres_process.h"
#include "compute/probe.h"
#include "compute/settings_check.h"
#include "compute/shared_memory.h"
#include "compute/spares.h"
#include "compute/spawn.h"
#include "compute/template.h"
#include "compute/verify_lineage.h"
#include "compute/verify_round.h"
#include "sys/clock.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

using std::chrono::milliseconds;

// Redo of a crash's WAL may take long; a supervisor that says nothing for longer than this hangs.
constexpr milliseconds kStartLimit{600'000};
constexpr milliseconds kStopLimit{90'000};
constexpr milliseconds kGreetingLimit{5'000};
constexpr milliseconds kRestorePointLimit{60'000};
// A branch copies and replays the parent's WAL since its last checkpoint: more than this is worth a
// checkpoint, but not for each of many branches in a row.
constexpr uint64_t kReplayBytesMax = 1536 << 10;
constexpr std::chrono::seconds kForcedCheckpointInterval{3};

ComputeState state_of(Phase phase) {
    switch (phase) {
        case Phase::starting:
            return ComputeState::starting;
        case Phase::running:
            return ComputeState::running;
        case Phase::stopping:
            return ComputeState::stopping;
        case Phase::failed:
            return ComputeState::failed;
        case Phase::stopped:
        case Phase::crashed:
            return ComputeState::stopped;
    }
    return ComputeState::stopped;
}

}  // namespace

struct Manager::Endpoint {
    explicit Endpoint(std::string name) : uid(std::move(name)) {}

    const std::string uid;
    std::mutex busy;  // held by the start, stop or removal that is under way

    std::mutex mutex;                  // guards the rest
    std::shared_ptr<Channel> channel;  // null: nothing runs
    uint64_t lineage = 0;
    std::string socket_directory;
    bool expected_end = false;
    ComputeStatus last;  // what is known while there is no channel
    std::shared_future<Result<ComputeStatus>> starting;
    std::chrono::steady_clock::time_point forced_checkpoint;

    bool runs() const { return channel && !channel->is_closed(); }
    ComputeStatus status() {
        std::lock_guard held(mutex);
        return status_held();
    }
    ComputeStatus status_held() const {
        if (!channel) return last;
        auto report = channel->current();
        ComputeStatus answer{state_of(report.phase), report.reason, "", report.since};
        if (report.phase == Phase::running) answer.socket_directory = socket_directory;
        return answer;
    }
    // Lets go of the connection, keeping what it said. Waits for its thread, so never with `mutex`
    // held.
    void detach() {
        std::shared_ptr<Channel> gone;
        std::lock_guard held(mutex);
        last = status_held();
        gone.swap(channel);
    }
};

Manager::Manager(ManagerOptions options, store::Store store, ComputeUser user)
    : options_(std::move(options)),
      layout_(options_.data_directory),
      store_(std::move(store)),
      user_(std::move(user)),
      lineages_(store_, layout_, user_, installs_),
      disk_watch_(options_.data_directory, options_.disk),
      ballast_(layout_.ballast()) {}

Manager::~Manager() {
    // Computes outlive the server: only the connections to their supervisors end here.
    std::map<std::string, std::shared_ptr<Endpoint>> endpoints;
    {
        std::lock_guard held(mutex_);
        endpoints.swap(endpoints_);
        exit_callback_ = nullptr;
    }
    for (auto& [uid, endpoint] : endpoints) {
        {
            std::lock_guard held(endpoint->mutex);
            endpoint->expected_end = true;
        }
        endpoint->detach();
    }
}

Result<std::unique_ptr<Manager>> Manager::open(ManagerOptions options) {
    if (options.data_directory.empty() || options.data_directory.front() != '/')
        return error(Code::invalid_argument, "data directory `{}` is not an absolute path",
                     options.data_directory);
    auto user = TRY(find_compute_user(options.user));
    Layout layout(options.data_directory);
    TRY(make_directories(options.data_directory, 0755));
    for (const auto& path :
         {layout.store_root(), layout.templates(), layout.spares(), layout.endpoints()}) {
        TRY(make_directories(path, 0700));
        if (user.switches && ::chown(path.c_str(), user.uid, user.gid) != 0)
            return errno_error(errno, fmt::format("give {} to user {}", path, user.name));
    }
    // A full disk must not keep the server from starting: it is there that room is made.
    Ballast(layout.ballast()).make_way(DiskWatch(options.data_directory, options.disk).look());
    TRY_CTX(check_access(user, options.data_directory, X_OK), "keep computes below {}",
            options.data_directory);
    TRY_CTX(check_access(user, options.shim, R_OK), "load the shim into computes");
    TRY_CTX(check_access(user, options.supervisor_command[0], X_OK), "start computes");
    // As root, which sees what the user cannot reach, and so can say it.
    auto installs = find_postgres(options.postgres_directories, user);
    ActAs acting(user);
    TRY(check_allocation(layout.store_root()));
    auto store = TRY(store::Store::open(sys::real_disk(), layout.store_root()));
    auto manager = std::unique_ptr<Manager>(
        new Manager(std::move(options), std::move(store), std::move(user)));
    manager->installs_ = std::move(installs);
    manager->spare_keeper_ = std::make_unique<SpareKeeper>(
        manager->store_, manager->layout_.spares(), manager->user_, manager->majors());
    manager->wal_compressor_ = std::make_unique<WalCompressor>(
        manager->lineages_, manager->user_, manager->options_.wal_compression_round,
        DiskWatch(manager->options_.data_directory, manager->options_.disk));
    return manager;
}

std::vector<int> Manager::majors() const {
    std::vector<int> found;
    for (const auto& [major, install] : installs_) found.push_back(major);
    return found;
}

void Manager::on_exit(std::function<void(const std::string&)> callback) {
    std::lock_guard held(mutex_);
    exit_callback_ = std::move(callback);
}

std::shared_ptr<Manager::Endpoint> Manager::endpoint(const std::string& uid) const {
    std::lock_guard held(mutex_);
    auto found = endpoints_.find(uid);
    return found == endpoints_.end() ? nullptr : found->second;
}

std::shared_ptr<Manager::Endpoint> Manager::endpoint_or_new(const std::string& uid) {
    std::lock_guard held(mutex_);
    auto& place = endpoints_[uid];
    if (!place) place = std::make_shared<Endpoint>(uid);
    return place;
}

ComputeStatus Manager::status(const std::string& endpoint_uid) const {
    auto found = endpoint(endpoint_uid);
    return found ? found->status() : ComputeStatus{};
}

Result<std::vector<Row>> Manager::query(const std::string& endpoint_uid,
                                        const std::string& database, const std::string& statement) {
    auto state = status(endpoint_uid);
    if (state.state != ComputeState::running)
        return error(Code::unavailable, "the compute of endpoint {} is not running", endpoint_uid);
    return compute::query(state.socket_directory, database, statement);
}

// The lineage of a running compute, once all it has written is in a restore point.
Result<uint64_t> Manager::seal_now(const std::string& endpoint_uid) {
    TRY(query(endpoint_uid, "postgres", "CHECKPOINT"));
    auto found = endpoint(endpoint_uid);
    if (!found) return error(Code::unavailable, "endpoint {} is being removed", endpoint_uid);
    std::shared_ptr<Channel> channel;
    uint64_t lineage = 0;
    {
        std::lock_guard held(found->mutex);
        channel = found->channel;
        lineage = found->lineage;
    }
    if (!channel) return error(Code::unavailable, "endpoint {} has stopped", endpoint_uid);
    TRY(channel->ask(Order::restore_point, kRestorePointLimit));
    return lineage;
}

Result<PageChanges> Manager::compare(const std::string& endpoint_uid,
                                     const std::string& other_uid) {
    uint64_t one = TRY(seal_now(endpoint_uid));
    uint64_t other = TRY(seal_now(other_uid));
    ActAs acting(user_);
    return TRY_CTX(page_changes(store_, one, other), "compare lineage {} with {}",
                   lineage_text(one), lineage_text(other));
}

// ---- lineages ----------------------------------------------------------------------------------

Result<void> Manager::create_root(const LineageId& id, int pg_major) {
    return lineages_.create_root(TRY(parse_lineage_id(id)), pg_major);
}

Result<void> Manager::checkpoint_if_far(uint64_t lineage, const std::string& running) {
    auto distance = TRY(replay_distance(store_, lineage));
    if (distance <= kReplayBytesMax) return {};
    auto found = endpoint(running);
    if (!found) return {};
    std::shared_ptr<Channel> channel;
    {
        std::lock_guard held(found->mutex);
        auto time = std::chrono::steady_clock::now();
        bool lately = found->forced_checkpoint.time_since_epoch().count() != 0 &&
                      time - found->forced_checkpoint < kForcedCheckpointInterval;
        if (lately || !found->channel) return {};
        found->forced_checkpoint = time;
        channel = found->channel;
    }
    TRY(query(running, "postgres", "CHECKPOINT"));
    return channel->ask(Order::restore_point, kRestorePointLimit);
}

Result<BranchPoint> Manager::create_branch(const LineageId& id, const LineageId& parent_id,
                                           const std::string& running, const Moment& moment) {
    uint64_t lineage = TRY(parse_lineage_id(id));
    uint64_t parent = TRY(parse_lineage_id(parent_id));
    bool now = std::holds_alternative<Newest>(moment);
    if (now && !running.empty() && status(running).state == ComputeState::running) {
        ActAs acting(user_);
        if (auto nearer = checkpoint_if_far(parent, running); !nearer)
            log::warn("compute: branch of lineage {} without a checkpoint: {}", parent_id,
                      nearer.error().text());
    }
    return lineages_.create_branch(lineage, parent, moment);
}

Result<void> Manager::set_aside(const LineageId& id, Time from) {
    return lineages_.set_aside(TRY(parse_lineage_id(id)), from);
}

Result<BranchPoint> Manager::find_moment(const LineageId& id, const Moment& moment) {
    return lineages_.find_moment(TRY(parse_lineage_id(id)), moment);
}

Result<void> Manager::begin_history(const LineageId& id) {
    return lineages_.begin_history(TRY(parse_lineage_id(id)));
}

Result<void> Manager::trim_history(const LineageId& id, Time time) {
    bool scarce = disk_space().state != DiskState::enough;
    return lineages_.trim_history(TRY(parse_lineage_id(id)), time,
                                  scarce ? for_a_full_disk(options_.history) : options_.history);
}

std::optional<HistoryCost> Manager::history(const LineageId& id) const {
    auto lineage = parse_lineage_id(id);
    if (!lineage.ok()) return std::nullopt;
    return lineages_.history(*lineage);
}

std::optional<uint64_t> Manager::kept_for(const LineageId& id) const {
    return lineages_.kept_for(id);
}

Result<std::vector<LineageId>> Manager::lineages() const {
    ActAs acting(user_);
    std::vector<LineageId> ids;
    for (uint64_t lineage : TRY(lineages_to_verify(store_))) ids.push_back(lineage_text(lineage));
    return ids;
}

Result<std::vector<LineageId>> Manager::unnamed(const std::set<LineageId>& named) const {
    ActAs acting(user_);
    std::vector<LineageId> ids;
    for (uint64_t lineage : TRY(unnamed_among(store_, TRY(lineages_to_verify(store_)), named)))
        ids.push_back(lineage_text(lineage));
    return ids;
}

std::unique_ptr<VerifyRound> Manager::begin_verifying(Pace pace) {
    return std::make_unique<PacedRound>(store_, user_, std::move(pace));
}

Result<void> Manager::drop_lineage(const LineageId& id) {
    uint64_t lineage = TRY(parse_lineage_id(id));
    {
        std::lock_guard held(mutex_);
        for (const auto& [uid, endpoint] : endpoints_) {
            std::lock_guard each(endpoint->mutex);
            if (endpoint->runs() && endpoint->lineage == lineage)
                return error(Code::conflict, "endpoint {} runs on lineage {}", uid, id);
        }
    }
    return lineages_.drop(lineage);
}

Result<uint64_t> Manager::logical_size(const LineageId& id) {
    return lineages_.logical_size(TRY(parse_lineage_id(id)));
}

DiskSpace Manager::disk_space() {
    std::lock_guard one(watching_);
    DiskSpace space = disk_watch_.look();
    auto filled = ballast_.fill(space);
    if (!filled && !std::exchange(ballast_failed_, true))
        log::warn("compute: no room is kept back for deletions: {}", filled.error().text());
    if (std::exchange(disk_told_, space.state) == space.state) return space;
    if (space.state == DiskState::enough)
        log::info("compute: the disk of {} has room again: {}", options_.data_directory,
                  free_text(space));
    else
        log::warn(
            "compute: the disk of {} is {}: {}; {} (hint: docs/operate/server.md, When the disk "
            "fills)",
            options_.data_directory, space.state == DiskState::low ? "filling up" : "nearly full",
            free_text(space),
            space.state == DiskState::low ? "nothing new is made until there is more"
                                          : "computes only read until there is more");
    return space;
}

void Manager::make_way_for_removal() {
    std::lock_guard one(watching_);
    ballast_.make_way(disk_watch_.look());
}

// ---- running -----------------------------------------------------------------------------------

// Two endpoints never run on one lineage: the second one would kill the first.
Result<void> Manager::claim_lineage(Endpoint& endpoint, uint64_t lineage) {
    std::lock_guard held(mutex_);
    for (const auto& [uid, other] : endpoints_) {
        if (other.get() == &endpoint) continue;
        std::lock_guard each(other->mutex);
        if (other->runs() && other->lineage == lineage)
            return error(Code::conflict, "endpoint {} runs on lineage {} already", uid,
                         lineage_text(lineage));
    }
    std::lock_guard own(endpoint.mutex);
    endpoint.lineage = lineage;
    return {};
}

Result<SuperviseSpec> Manager::supervise_spec(const ComputeSpec& spec, uint64_t lineage) const {
    auto install = installs_.find(spec.pg_major);
    if (install == installs_.end())
        return error(Code::not_found, "PostgreSQL {} is not installed on this machine",
                     spec.pg_major);
    SuperviseSpec supervised;
    supervised.endpoint_uid = spec.endpoint_uid;
    supervised.lineage = lineage;
    supervised.pg_major = spec.pg_major;
    supervised.max_cu = spec.max_cu;
    supervised.pg_settings = spec.pg_settings;
    supervised.store_root = layout_.store_root();
    supervised.directory = layout_.endpoint(spec.endpoint_uid);
    supervised.run_directory = layout_.run_directory(spec.endpoint_uid);
    supervised.spares = layout_.spares();
    supervised.bin_directory = install->second.bin;
    supervised.shim = options_.shim;
    supervised.shared_buffers = options_.shared_buffers;
    supervised.disk = options_.disk;
    supervised.compaction_calm = options_.compaction_calm;
    return supervised;
}

Result<std::string> Manager::write_spec(const ComputeSpec& spec, uint64_t lineage) {
    auto supervised = TRY(supervise_spec(spec, lineage));
    ActAs acting(user_);
    TRY(make_directories(supervised.directory));
    TRY(make_directories(supervised.log_directory()));
    TRY(make_run_directory(supervised.run_directory, user_.uid));
    auto path = supervised.directory + "/spec.json";
    TRY(sys::write_scratch(sys::real_disk(), path, encode(supervised)));
    return path;
}

Result<void> Manager::check_settings(int pg_major, double max_cu,
                                     const std::map<std::string, std::string>& settings) {
    ComputeSpec spec;
    spec.pg_major = pg_major;
    spec.max_cu = max_cu;
    spec.pg_settings = settings;
    auto tried = TRY(supervise_spec(spec, 0));
    tried.directory = tried.run_directory = layout_.settings_check();
    std::string control;  // any of that major will do
    {
        ActAs acting(user_);
        if (auto point = store_.newest_restore_point(template_lineage(pg_major)))
            control = point->attachments[restore_point_key::control];
    }
    std::lock_guard one(checking_);
    return compute::check_settings(tried, user_, control);
}

std::shared_ptr<Channel> Manager::attach(const std::shared_ptr<Endpoint>& endpoint,
                                         sys::Descriptor socket, int pid) {
    endpoint->detach();
    std::lock_guard held(endpoint->mutex);
    endpoint->expected_end = false;
    endpoint->socket_directory = layout_.run_directory(endpoint->uid);
    // Weak: the endpoint owns the channel, whose thread calls this.
    auto ended = [this, pid,
                  weak = std::weak_ptr(endpoint)](const std::optional<PhaseReport>& report) {
        if (pid > 0) ::waitpid(pid, nullptr, 0);
        auto found = weak.lock();
        bool failed = report && report->phase == Phase::failed;  // the start that waits says so
        if (found && !failed) supervisor_ended(*found);
    };
    endpoint->channel = std::make_shared<Channel>(std::move(socket), std::move(ended));
    if (letting_go_) endpoint->channel->abandon();
    return endpoint->channel;
}

// From the channel's thread: tells whoever wants to know.
void Manager::supervisor_ended(Endpoint& endpoint) {
    {
        std::lock_guard held(endpoint.mutex);
        if (endpoint.expected_end) return;
    }
    std::function<void(const std::string&)> callback;
    {
        std::lock_guard held(mutex_);
        callback = exit_callback_;
    }
    log::warn("compute: {} ended without being asked to: {}", endpoint.uid,
              endpoint.status().reason);
    if (callback) callback(endpoint.uid);
}

Result<ComputeStatus> Manager::start(const ComputeSpec& spec) {
    TRY(check_endpoint_uid(spec.endpoint_uid));
    auto endpoint = endpoint_or_new(spec.endpoint_uid);
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
        result = start_locked(*endpoint, spec);
    }
    std::lock_guard held(endpoint->mutex);
    endpoint->starting = {};
    promise.set_value(result);
    return result;
}

Result<ComputeStatus> Manager::start_locked(Endpoint& endpoint, const ComputeSpec& spec) {
    if (letting_go_) return error(Code::unavailable, "the server is ending");
    auto self = this->endpoint(endpoint.uid);
    if (!self) return error(Code::not_found, "endpoint {} is being removed", endpoint.uid);
    std::shared_ptr<Channel> channel;
    {
        std::lock_guard held(endpoint.mutex);
        channel = endpoint.channel;
    }
    if (channel && !channel->is_closed()) {
        channel->wait([](const PhaseReport& report) { return report.phase != Phase::starting; },
                      kStartLimit);
        if (endpoint.status().state == ComputeState::running) return endpoint.status();
        TRY(stop_locked(endpoint, Order::stop));
    }
    uint64_t lineage = TRY(parse_lineage_id(spec.lineage));
    TRY(claim_lineage(endpoint, lineage));
    auto path = TRY(write_spec(spec, lineage));
    auto command = options_.supervisor_command;
    command.push_back(path);
    auto log_file = layout_.endpoint(endpoint.uid) + "/log/supervisor.log";
    auto spawned = TRY(spawn_supervisor(command, log_file, user_));
    channel = attach(self, std::move(spawned.control), spawned.pid);
    channel->wait([](const PhaseReport& report) { return report.phase != Phase::starting; },
                  kStartLimit);
    auto report = channel->current();
    if (report.phase == Phase::running) {
        spare_keeper_->fill_up();
        return endpoint.status();
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

Result<void> Manager::stop(const std::string& endpoint_uid) {
    auto found = endpoint(endpoint_uid);
    if (!found) return {};
    std::lock_guard busy(found->busy);
    return stop_locked(*found, Order::stop);
}

Result<void> Manager::stop_locked(Endpoint& endpoint, Order how) {
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
    if (letting_go_) return error(Code::unavailable, "the server is ending");
    if (!channel->is_closed())
        return error(Code::timed_out, "stop endpoint {}: its supervisor does not end",
                     endpoint.uid);
    channel.reset();
    endpoint.detach();
    return {};
}

// Whoever is left of a compute whose supervisor was killed works in its directory: that must not
// become anybody else's before he is gone.
Result<void> Manager::end_orphans(const std::string& endpoint_uid, uint64_t lineage) {
    constexpr std::chrono::seconds kLimit{30};
    {
        std::lock_guard held(mutex_);
        for (const auto& [uid, other] : endpoints_) {
            std::lock_guard each(other->mutex);
            // Its start has seen to orphans, and holds the lock for good reason.
            if (uid != endpoint_uid && other->runs() && other->lineage == lineage) return {};
        }
    }
    auto path = lineage_lock_path(layout_.store_root(), lineage);
    if (!exists(path)) return {};
    TRY_CTX(seize_lock(path, kLimit), "end what is left of endpoint {}", endpoint_uid);
    return {};
}

Result<void> Manager::remove(const std::string& endpoint_uid) {
    TRY(check_endpoint_uid(endpoint_uid));
    if (auto found = endpoint(endpoint_uid)) {
        std::lock_guard busy(found->busy);
        TRY(stop_locked(*found, Order::kill));
        std::lock_guard held(mutex_);
        endpoints_.erase(endpoint_uid);
    }
    ActAs acting(user_);
    auto directory = layout_.endpoint(endpoint_uid);
    auto text = sys::read_file(sys::real_disk(), directory + "/spec.json");
    if (auto spec = text ? decode_spec(*text) : Result<SuperviseSpec>(text.error())) {
        TRY(end_orphans(endpoint_uid, spec->lineage));
        remove_shared_memory(spec->pgdata());
        keep_as_spare(layout_.spares(), spec->pg_major, spec->pgdata());
    }
    TRY(sys::remove_tree(sys::real_disk(), layout_.run_directory(endpoint_uid)));
    return sys::remove_tree(sys::real_disk(), directory);
}

void Manager::let_go() {
    letting_go_ = true;  // first: whoever attaches later sees it
    std::lock_guard held(mutex_);
    for (const auto& [uid, endpoint] : endpoints_) {
        std::lock_guard each(endpoint->mutex);
        if (endpoint->channel) endpoint->channel->abandon();
    }
}

// ---- after a restart of the server -------------------------------------------------------------

Result<void> Manager::adopt(const std::vector<ComputeSpec>& known) {
    std::map<std::string, const ComputeSpec*> by_uid;
    for (const auto& spec : known) by_uid[spec.endpoint_uid] = &spec;
    TRY(lineages_.remove_leftovers());
    for (const auto& uid : TRY(sys::list_names_if_any(sys::real_disk(), layout_.endpoints()))) {
        if (!check_endpoint_uid(uid)) continue;
        auto found = by_uid.find(uid);
        adopt_one(uid, found == by_uid.end() ? nullptr : found->second);
        if (found == by_uid.end()) {
            log::info("compute: endpoint {} is not known any more: removed", uid);
            TRY(remove(uid));
        }
    }
    return {};
}

void Manager::adopt_one(const std::string& uid, const ComputeSpec* known) {
    auto text = sys::read_file(sys::real_disk(), layout_.endpoint(uid) + "/spec.json");
    auto spec = text ? decode_spec(*text) : Result<SuperviseSpec>(text.error());
    auto socket = Channel::connect(control_socket_in(layout_.run_directory(uid)));
    auto endpoint = endpoint_or_new(uid);
    {
        std::lock_guard held(endpoint->mutex);
        if (endpoint->runs()) return;
        if (spec) endpoint->lineage = spec->lineage;
    }
    if (socket) {
        attach(endpoint, std::move(*socket), 0)
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
