#include "compute/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/log.h"
#include "compute/checkpoint_pacer.h"
#include "compute/compactor.h"
#include "compute/control_server.h"
#include "compute/disk_guard.h"
#include "compute/fence.h"
#include "compute/files.h"
#include "compute/layout.h"
#include "compute/opening.h"
#include "compute/pgdata.h"
#include "compute/postgres_config.h"
#include "compute/postgres_process.h"
#include "compute/probe.h"
#include "compute/promotion.h"
#include "compute/sealer.h"
#include "compute/shared_memory.h"
#include "compute/spares.h"
#include "compute/wal_supply.h"
#include "shim/protocol.h"
#include "store/paths.h"
#include "sys/clock.h"
#include "sys/descriptor.h"
#include "sys/files.h"
#include "wal/wal_files.h"

namespace tarn::compute {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLockLimit{30'000};
constexpr milliseconds kProbePause{200};
// A fast stop that takes longer becomes an immediate one; then the processes are killed.
constexpr milliseconds kFastStopLimit{60'000};
constexpr milliseconds kImmediateStopLimit{5'000};

class Supervisor {
  public:
    Supervisor(SuperviseSpec spec, store::Store store, ControlServer control)
        : spec_(std::move(spec)),
          store_(std::move(store)),
          control_(std::move(control)),
          checkpoints_(spec_.run_directory),
          disk_guard_(spec_) {}

    int run();

  private:
    Result<void> set_up_descriptors();
    Result<void> start();
    Result<void> prepare_pgdata();
    Result<void> launch();
    void loop();
    void poll_once();
    void handle_signals();
    void handle_ring();
    void handle_status_change();
    void handle_request(const ControlServer::Incoming& incoming);
    void handle_deadline();
    void handle_exit(int status);
    void finish_stop(int status);
    void fail_start(const std::string& how);
    void begin_stop();
    void kill_postgres(Error why);
    Result<void> check_promotion();
    bool take_restore_point();
    Result<void> keep_clean_end();
    void enter(Phase phase, std::string reason = "");
    void fail(const Error& why);
    void tell_reason();

    SuperviseSpec spec_;
    store::Store store_;
    ControlServer control_;
    sys::Descriptor lock_;
    sys::Descriptor signals_;
    sys::Descriptor ring_;
    sys::Descriptor notify_;
    Opening opening_;
    std::optional<Sealer> sealer_;
    WalSupply wal_supply_;
    CheckpointPacer checkpoints_;
    DiskGuard disk_guard_;
    Compactor compactor_;
    PhaseReport report_;
    std::optional<Error> killed_for_;
    std::vector<ControlServer::Incoming> waiting_;  // for the end of the stop
    std::optional<Clock::time_point> deadline_;
    pid_t postgres_ = 0;
    off_t log_begin_ = 0;  // of its lines in postgres.log
    bool promotion_asked_ = false;
    bool promotion_checked_ = false;
    bool immediate_ = false;
};

void Supervisor::enter(Phase phase, std::string reason) {
    report_.phase = phase;
    report_.reason = std::move(reason);
    report_.since = sys::real_clock().now();
    report_.postgres_pid = postgres_;
    log::info("compute: {} {} {}", spec_.endpoint_uid, phase_name(phase), report_.reason);
    control_.broadcast(encode(report_));
}

void Supervisor::fail(const Error& why) {
    report_.code = why.code();
    report_.hint = why.hint();
    log::error("compute: {}: {}", spec_.endpoint_uid, why.text());
    enter(Phase::failed, why.message());
}

// Of the state that it is in, which began when it did.
void Supervisor::tell_reason() {
    report_.reason = disk_guard_.reason();
    control_.broadcast(encode(report_));
}

Result<void> Supervisor::set_up_descriptors() {
    sigset_t handled;
    sigemptyset(&handled);
    for (int signal : {SIGCHLD, SIGTERM, SIGINT}) sigaddset(&handled, signal);
    ::sigprocmask(SIG_SETMASK, &handled, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    // Orphans of PostgreSQL come to us and not to init: whoever may still write is known.
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return errno_error(errno, "become a subreaper");
    signals_ = sys::Descriptor(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
    ring_ = sys::Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    notify_ = sys::Descriptor(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!signals_.is_open() || !ring_.is_open() || !notify_.is_open())
        return errno_error(errno, "make descriptors for the event loop");
    return {};
}

Result<void> Supervisor::start() {
    TRY(set_up_descriptors());
    lock_ = TRY(seize_lock(lineage_lock_path(spec_.store_root, spec_.lineage), kLockLimit));
    opening_ = TRY(open_lineage(store_, spec_));
    TRY(prepare_pgdata());
    TRY(disk_guard_.prepare());
    TRY(fill_map(store_, opening_, spec_));
    sealer_ = TRY(Sealer::begin(store_, opening_, spec_.pgdata()));
    wal_supply_ = WalSupply(store_, opening_.log, opening_.end);
    wal_supply_.prepare(sealer_->header());
    promotion_checked_ = !opening_.recovers;
    return launch();
}

Result<void> Supervisor::prepare_pgdata() {
    auto pgdata = spec_.pgdata();
    // Of a life whose supervisor was killed too; we hold the lock, so none of its processes lives.
    remove_shared_memory(pgdata);
    auto stubs = sys::read_file(sys::real_disk(), spec_.stubs_marker());
    bool usable = opening_.continues && stubs && *stubs == text_of(opening_.point.id) &&
                  exists(pgdata + "/PG_VERSION");
    ::unlink(spec_.stubs_marker().c_str());
    if (!usable) {
        // Rather an old directory made right than a new one: see stub_tree.h.
        if (!exists(pgdata))
            take_spare(spec_.spares, spec_.pg_major, opening_.point.files.size(), pgdata);
        auto wal = incarnation_path(store_, opening_.log) + "/" + store::kWalDirectory;
        TRY_CTX(materialise(pgdata, wal, spec_.pg_major, opening_.point), "materialise {}",
                text_of(opening_.point.id));
    }
    // Whoever these name is dead, because we hold the lock; a zombie would look alive to
    // PostgreSQL.
    auto socket = spec_.run_directory + "/" + std::string(kSocketName);
    for (const auto& path : {pgdata + "/postmaster.pid", socket, socket + ".lock"})
        ::unlink(path.c_str());
    if (opening_.recovers)
        TRY(sys::write_scratch(sys::real_disk(), pgdata + "/standby.signal", ""));
    TRY(sys::write_scratch(sys::real_disk(), pgdata + "/pg_hba.conf", pg_hba_conf()));
    TRY(sys::write_scratch(sys::real_disk(), pgdata + "/pg_ident.conf", ""));
    return sys::write_scratch(sys::real_disk(), pgdata + "/postgresql.conf",
                              postgresql_conf(spec_, opening_.prepared_transactions));
}

Result<void> Supervisor::launch() {
    TRY(remove_clean_marker(store_, opening_.log));
    if (::inotify_add_watch(notify_.fd(), spec_.pgdata().c_str(), IN_CLOSE_WRITE) < 0)
        return errno_error(errno, fmt::format("watch {}", spec_.pgdata()));
    PostgresLaunch launch;
    launch.command = command_line(spec_);
    launch.environment = {"PATH=/usr/local/bin:/usr/bin:/bin",
                          "LANG=C.UTF-8",
                          "LD_PRELOAD=" + spec_.shim,
                          fmt::format("{}={}", shim::kMapVariable,
                                      store::map_path(spec_.store_root.c_str(), opening_.log).text),
                          fmt::format("{}={}", shim::kEventVariable, ring_.fd()),
                          fmt::format("{}={}", shim::kLockVariable, lock_.fd())};
    launch.log_file = spec_.log_directory() + "/postgres.log";
    launch.inherited = {ring_.fd(), lock_.fd()};
    rotate_log(launch.log_file);
    auto process = TRY(launch_postgres(launch));
    postgres_ = process.pid;
    log_begin_ = process.log_begin;
    return {};
}

int Supervisor::run() {
    enter(Phase::starting);
    if (auto started = start(); !started) {
        kill_children();
        fail(started.error());
        return 1;
    }
    loop();
    return report_.phase == Phase::stopped ? 0 : report_.phase == Phase::failed ? 1 : 2;
}

void Supervisor::loop() {
    while (!is_final(report_.phase)) poll_once();
}

void Supervisor::poll_once() {
    std::vector<pollfd> polled{
        {signals_.fd(), POLLIN, 0}, {ring_.fd(), POLLIN, 0}, {notify_.fd(), POLLIN, 0}};
    control_.add_descriptors(polled);
    checkpoints_.add_descriptor(polled);
    disk_guard_.add_descriptor(polled);
    int timeout = -1;
    auto look = report_.phase == Phase::running ? disk_guard_.deadline() : std::nullopt;
    for (const auto& deadline : {deadline_, checkpoints_.deadline(), look})
        if (deadline) {
            auto left = std::chrono::duration_cast<milliseconds>(*deadline - Clock::now());
            auto wait = static_cast<int>(std::max<int64_t>(left.count() + 1, 0));
            timeout = timeout < 0 ? wait : std::min(timeout, wait);
        }
    if (::poll(polled.data(), polled.size(), timeout) < 0 && errno != EINTR)
        log::error("compute: poll: {}", errno_error(errno, "wait").text());
    if (polled[1].revents) handle_ring();
    if (polled[2].revents) handle_status_change();
    for (const auto& incoming : control_.handle(polled, encode(report_))) handle_request(incoming);
    if (deadline_ && Clock::now() >= *deadline_) handle_deadline();
    if (report_.phase == Phase::running) checkpoints_.step(sealer_->header());
    if (report_.phase == Phase::running && disk_guard_.step()) {
        ::kill(postgres_, SIGHUP);
        tell_reason();
    }
    if (polled[0].revents) handle_signals();
}

// The shim has something to say: recovery listens, a seal was taken, another WAL segment was begun,
// or the log is poisoned.
void Supervisor::handle_ring() {
    uint64_t count = 0;
    (void)!::read(ring_.fd(), &count, sizeof count);
    auto& header = sealer_->header();
    if (header.state.load() == store::LogState::poisoned) {
        kill_postgres(error(Code::io_error,
                            "a sync of the page log or WAL failed; the compute restarts "
                            "from its last restore point"));
        return;
    }
    if (opening_.recovers && !promotion_asked_ &&
        (header.caller_state.load() & shim::kRecoveryReady) != 0) {
        promotion_asked_ = true;
        auto asked = sys::write_scratch(sys::real_disk(), spec_.pgdata() + "/promote", "");
        if (!asked) return kill_postgres(std::move(asked).error());
        ::kill(postgres_, SIGUSR1);
    }
    if (report_.phase == Phase::running)
        if (auto kept = wal_supply_.keep(header); !kept)
            return kill_postgres(std::move(kept).error());
    if (report_.phase == Phase::running || promotion_checked_) take_restore_point();
}

// postmaster.pid was written: is PostgreSQL ready?
void Supervisor::handle_status_change() {
    alignas(inotify_event) char events[4096];
    while (::read(notify_.fd(), events, sizeof events) > 0) {
    }
    if (report_.phase != Phase::starting || postmaster_status(spec_.pgdata()) != "ready") return;
    if (auto checked = check_promotion(); !checked)
        return kill_postgres(std::move(checked).error());
    auto answer = query(spec_.run_directory, "postgres", "SELECT 1");
    if (!answer) {
        // A machine too slow to answer in time, or it has ended meanwhile: that is reported.
        log::warn("compute: {}: first message: {}", spec_.endpoint_uid, answer.error().text());
        deadline_ = Clock::now() + kProbePause;
        return;
    }
    deadline_.reset();
    enter(Phase::running, disk_guard_.reason());
    take_restore_point();  // the end of recovery may have sealed already
    compactor_.begin(store_, opening_.log, spec_.compaction_calm);
}

// What was replayed must be what was planned.
Result<void> Supervisor::check_promotion() {
    if (promotion_checked_) return {};
    auto wal = incarnation_path(store_, opening_.log);
    TRY(check_switch_point(store_.disk(), wal, opening_.end));
    promotion_checked_ = true;
    return {};
}

bool Supervisor::take_restore_point() {
    auto taken = sealer_->take(false);
    if (!taken) {
        // The compute goes on: nothing is lost, only the next start replays more.
        log::error("compute: {}: restore point: {}", spec_.endpoint_uid, taken.error().text());
        return false;
    }
    return true;
}

void Supervisor::handle_request(const ControlServer::Incoming& incoming) {
    switch (incoming.request.order) {
        case Order::stop:
            waiting_.push_back(incoming);
            begin_stop();
            break;
        case Order::kill:
            waiting_.push_back(incoming);
            kill_postgres(error(Code::unavailable, "killed on request"));
            break;
        case Order::restore_point: {
            Reply reply{incoming.request.id, std::nullopt};
            if (report_.phase != Phase::running)
                reply.failure =
                    error(Code::unavailable, "the compute is {}", phase_name(report_.phase));
            else if (!take_restore_point())
                reply.failure = error(Code::io_error, "no restore point could be made")
                                    .with_hint("the supervisor's log says why");
            control_.send(incoming.client, encode(reply));
            break;
        }
    }
}

void Supervisor::begin_stop() {
    if (report_.phase == Phase::stopping || is_final(report_.phase)) return;
    enter(Phase::stopping);
    checkpoints_.stop();
    disk_guard_.stop();
    compactor_.stop();
    ::kill(postgres_, SIGINT);
    deadline_ = Clock::now() + kFastStopLimit;
}

void Supervisor::handle_deadline() {
    if (report_.phase == Phase::starting) {
        deadline_.reset();
        return handle_status_change();
    }
    log::warn("compute: {}: PostgreSQL does not stop: {}", spec_.endpoint_uid,
              immediate_ ? "killed" : "immediate stop");
    ::kill(postgres_, immediate_ ? SIGKILL : SIGQUIT);
    deadline_ = Clock::now() + kImmediateStopLimit;
    immediate_ = true;
}

void Supervisor::kill_postgres(Error why) {
    if (killed_for_) return;
    log::error("compute: {}: PostgreSQL is killed: {}", spec_.endpoint_uid, why.text());
    killed_for_ = std::move(why);
    compactor_.stop();
    ::kill(postgres_, SIGKILL);
}

void Supervisor::handle_signals() {
    signalfd_siginfo information;
    bool children = false;
    while (::read(signals_.fd(), &information, sizeof information) ==
           static_cast<ssize_t>(sizeof information)) {
        if (information.ssi_signo == SIGCHLD)
            children = true;
        else
            begin_stop();
    }
    while (children) {
        int status = 0;
        pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid <= 0) break;
        if (pid == postgres_) handle_exit(status);
    }
}

void Supervisor::handle_exit(int status) {
    kill_children();
    compactor_.end();
    // All of its processes are gone: nobody writes any more.
    postgres_ = 0;
    remove_shared_memory(spec_.pgdata());
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0 && !killed_for_;
    if (clean) {
        auto kept = keep_clean_end();
        if (!kept)
            log::error("compute: {}: last restore point: {}", spec_.endpoint_uid,
                       kept.error().text());
        if (sealer_->is_shut_down()) wal_supply_.end(sealer_->header());
    }
    finish_stop(status);
}

// The last seal becomes a restore point; if it is the end of everything, the next start need not
// replay or make anything.
Result<void> Supervisor::keep_clean_end() {
    if (!promotion_checked_) return {};
    TRY(sealer_->take(true));
    if (!sealer_->is_shut_down() || !sealer_->newest()) return {};
    const auto& id = sealer_->newest()->id;
    TRY(sys::write_scratch(sys::real_disk(), spec_.stubs_marker(), text_of(id)));
    return write_clean_marker(store_, opening_.log, {CleanMarker::Kind::stopped, id.number});
}

void Supervisor::fail_start(const std::string& how) {
    auto complaint = last_complaint(spec_.log_directory() + "/postgres.log", log_begin_);
    fail(error(Code::internal, "PostgreSQL ended while starting ({}){}{}", how,
               complaint.empty() ? "" : ": ", complaint));
}

void Supervisor::finish_stop(int status) {
    bool asked = report_.phase == Phase::stopping;
    bool starting = report_.phase == Phase::starting;
    std::string how = WIFEXITED(status) ? fmt::format("exit status {}", WEXITSTATUS(status))
                                        : fmt::format("signal {}", WTERMSIG(status));
    lock_.close();  // before anyone is told: the next start may come at once
    if (killed_for_ && killed_for_->code() == Code::data_loss)
        fail(*killed_for_);
    else if (killed_for_)
        enter(Phase::crashed, killed_for_->message());
    else if (asked || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
        enter(Phase::stopped, sealer_->is_shut_down() ? "" : "not cleanly: " + how);
    else if (starting)
        fail_start(how);
    else
        enter(Phase::crashed, "PostgreSQL ended: " + how);
    for (const auto& incoming : waiting_)
        control_.send(incoming.client, encode(Reply{incoming.request.id, std::nullopt}));
}

}  // namespace

int supervise(const std::string& spec_file, int control) {
    ::umask(077);
    auto text = sys::read_file(sys::real_disk(), spec_file);
    auto spec = text ? decode_spec(*text) : Result<SuperviseSpec>(text.error());
    if (!spec) {
        log::error("compute: {}: {}", spec_file, spec.error().text());
        return 1;
    }
    auto server = ControlServer::open(spec->control_socket(), control);
    if (!server) {
        log::error("compute: {}: {}", spec->endpoint_uid, server.error().text());
        return 1;
    }
    auto store = store::Store::open(sys::real_disk(), spec->store_root);
    if (!store) {
        log::error("compute: {}: {}", spec->endpoint_uid, store.error().text());
        return 1;
    }
    // From here on a later server finds us; if ours ended before, nobody may have looked.
    pollfd asker{control, 0, 0};
    if (control >= 0 && ::poll(&asker, 1, 0) > 0 && (asker.revents & (POLLHUP | POLLERR)) != 0) {
        log::warn("compute: {}: the server that asked for it has ended", spec->endpoint_uid);
        return 1;
    }
    return Supervisor(std::move(*spec), std::move(*store), std::move(*server)).run();
}

}  // namespace tarn::compute
