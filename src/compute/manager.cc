#include "compute/manager.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/log.h"
#include "compute/attachments.h"
#include "compute/checkpoint_request.h"
#include "compute/files.h"
#include "compute/lost_records.h"
#include "compute/page_changes.h"
#include "compute/settings_check.h"
#include "compute/template.h"
#include "compute/verify_lineage.h"
#include "compute/verify_round.h"
#include "sys/disk.h"

namespace tarn::compute {

namespace {

std::vector<int> majors_of(const std::map<int, PostgresInstall>& installs) {
    std::vector<int> majors;
    for (const auto& [major, install] : installs) majors.push_back(major);
    return majors;
}

}  // namespace

Manager::Manager(ManagerOptions options, store::Store store, ComputeUser user,
                 std::map<int, PostgresInstall> installs)
    : options_(std::move(options)),
      layout_(options_.data_directory),
      store_(std::move(store)),
      user_(std::move(user)),
      installs_(std::move(installs)),
      specs_(options_, layout_, installs_, user_),
      lineages_(store_, layout_, user_, installs_),
      disk_watch_(options_.data_directory, options_.disk),
      ballast_(layout_.ballast()),
      wal_compressor_(lineages_, user_, options_.wal_compression_round,
                      DiskWatch(options_.data_directory, options_.disk)),
      spare_keeper_(store_, layout_.spares(), user_, majors_of(installs_)),
      runner_(endpoints_, specs_, options_, layout_, user_, spare_keeper_) {}

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
    return std::unique_ptr<Manager>(
        new Manager(std::move(options), std::move(store), std::move(user), std::move(installs)));
}

std::vector<int> Manager::majors() const {
    return majors_of(installs_);
}

// ---- lineages ----------------------------------------------------------------------------------

Result<void> Manager::create_root(const LineageId& id, int pg_major) {
    return lineages_.create_root(TRY(parse_lineage_id(id)), pg_major);
}

Result<BranchPoint> Manager::create_branch(const LineageId& id, const LineageId& parent_id,
                                           const std::string& running, const Moment& moment) {
    uint64_t lineage = TRY(parse_lineage_id(id));
    uint64_t parent = TRY(parse_lineage_id(parent_id));
    bool now = std::holds_alternative<Newest>(moment);
    if (now && !running.empty() && status(running).state == ComputeState::running) {
        ActAs acting(user_);
        if (auto nearer = seal_if_far(endpoints_, store_, parent, running); !nearer)
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

Result<bool> Manager::trim_history(const LineageId& id, Time time) {
    DiskState disk = disk_space().state;
    HistoryLimits limits =
        disk == DiskState::enough ? options_.history : for_a_full_disk(options_.history);
    // A segment is packed beside what it takes until then.
    if (disk == DiskState::critical) limits.packs = false;
    return lineages_.trim_history(TRY(parse_lineage_id(id)), time, limits);
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
    if (auto uid = endpoints_.running_on(lineage); !uid.empty())
        return error(Code::conflict, "endpoint {} runs on lineage {}", uid, id);
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
            space.state == DiskState::low
                ? "no project, branch or restore is made until there is more"
                : "computes only read until there is more");
    return space;
}

void Manager::make_way_for_removal() {
    std::lock_guard one(watching_);
    ballast_.make_way(disk_watch_.look());
}

// ---- running -----------------------------------------------------------------------------------

Result<void> Manager::check_settings(int pg_major, double max_cu,
                                     const std::map<std::string, std::string>& settings) {
    ComputeSpec spec;
    spec.pg_major = pg_major;
    spec.max_cu = max_cu;
    spec.pg_settings = settings;
    auto tried = TRY(specs_.make(spec, 0));
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

Result<ComputeStatus> Manager::start(const ComputeSpec& spec) {
    return runner_.start(spec);
}

Result<void> Manager::stop(const std::string& endpoint_uid) {
    return runner_.stop(endpoint_uid);
}

Result<void> Manager::remove(const std::string& endpoint_uid) {
    return runner_.remove(endpoint_uid);
}

ComputeStatus Manager::status(const std::string& endpoint_uid) const {
    return endpoints_.status(endpoint_uid);
}

void Manager::let_go() {
    endpoints_.let_go();
}

Result<void> Manager::adopt(const std::vector<ComputeSpec>& known) {
    lineages_.remove_leftovers();
    return runner_.adopt(known);
}

Result<std::vector<Row>> Manager::query(const std::string& endpoint_uid,
                                        const std::string& database, const std::string& statement) {
    return endpoints_.query(endpoint_uid, database, statement);
}

Result<pg::PageChanges> Manager::page_changes(const std::string& endpoint_uid,
                                              const std::string& other_uid) {
    uint64_t one = TRY(seal_now(endpoints_, endpoint_uid));
    uint64_t other = TRY(seal_now(endpoints_, other_uid));
    ActAs acting(user_);
    return TRY_CTX(compute::page_changes(store_, one, other), "compare lineage {} with {}",
                   lineage_text(one), lineage_text(other));
}

void Manager::on_exit(std::function<void(const std::string&)> callback) {
    endpoints_.on_exit(std::move(callback));
}

}  // namespace tarn::compute
