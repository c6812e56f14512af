#include "main/serve.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "api/server.h"
#include "base/log.h"
#include "compute/manager.h"
#include "control/record_files.h"
#include "main/front_door.h"
#include "main/instance_lock.h"
#include "main/profile.h"
#include "main/setting_values.h"
#include "sys/clock.h"
#include "sys/poller.h"
#include "sys/randomness.h"

namespace tarn {

namespace {

constexpr uint64_t kDescriptorsNeeded = 1024;

// Every connection takes two descriptors, every endpoint one.
Result<void> check_descriptor_limit() {
    uint64_t limit = TRY(sys::raise_descriptor_limit());
    if (limit < kDescriptorsNeeded)
        return error(Code::unavailable, "start with {} file descriptors: at least {} are needed",
                     limit, kDescriptorsNeeded)
            .with_hint("raise the hard limit: ulimit -Hn, or LimitNOFILE= of the service");
    return {};
}

compute::ManagerOptions manager_options(const ServeOptions& options) {
    std::string program = program_directory();
    compute::ManagerOptions manager;
    manager.data_directory = options.data_directory;
    manager.postgres_directories = postgres_places(options.postgres_directories);
    manager.shim = program + "/libtarn_shim.so";
    manager.supervisor_command = {program + "/tarn", "supervise"};
    manager.user = options.compute_user;
    manager.shared_buffers = options.shared_buffers;
    manager.history.dense = parse_duration(options.history_dense).value();  // its form was checked
    manager.history.budget = options.history_budget;
    manager.history.packs = options.history_packing;
    manager.disk.low = parse_disk_limit(options.disk_low).value();  // so were theirs
    manager.disk.critical = parse_disk_limit(options.disk_critical).value();
    if (options.development) manager.wal_compression_round = std::chrono::seconds{1};
    manager.compaction_calm = std::chrono::duration_cast<std::chrono::milliseconds>(
        parse_duration(options.compaction_calm).value());
    return manager;
}

Result<control::Options> control_options(const ServeOptions& options) {
    control::Options control;
    control.addresses = TRY(control::AddressBlock::parse(options.address_block));
    control.network_domain = options.network_domain;
    control.records_directory = control::records_directory(options.data_directory);
    control.scrub_every = parse_duration(options.scrub_every).value();  // its form was checked
    control.scrub_rate = static_cast<uint64_t>(options.scrub_rate * (1 << 20));
    control.restore_check_every = parse_duration(options.restore_check_every).value();
    if (options.development) {
        control.least_suspend = Span{0};
        control.least_history_retention = control.history_round = std::chrono::seconds{1};
    }
    return control;
}

proxy::Options proxy_options(const ServeOptions& options) {
    proxy::Options proxy;
    proxy.port = proxy.network_port = static_cast<uint16_t>(options.pg_port);
    proxy.network_address = options.network_address;
    proxy.tls = {.directory = options.data_directory,
                 .domain = options.network_domain,
                 .certificate_file = options.tls_certificate,
                 .key_file = options.tls_key};
    return proxy;
}

Result<std::unique_ptr<api::Server>> listen_for_api(const ServeOptions& options) {
    HttpAddress http = TRY(parse_http_address(options.http));
    auto api = api::Server::listen(http.host, http.port);
    if (!api.ok()) return naming_settings(std::move(api).error(), "--http");
    return api;
}

// What one user's computes have written another's could not open.
Result<void> check_store_owner(const ServeOptions& options) {
    auto user = TRY(compute::find_compute_user(options.compute_user));
    std::string lineages = compute::Layout(options.data_directory).store_root() + "/lineages";
    struct stat there {};
    bool is_his = ::stat(lineages.c_str(), &there) != 0 || there.st_uid == user.uid;
    if (!user.switches || is_his) return {};
    return error(Code::permission_denied, "{} belongs to {}, and computes run as {}", lineages,
                 compute::user_text(there.st_uid), compute::user_text(user.uid))
        .with_hint(fmt::format(
            "name that user with --compute-user, or give the files to {0}: cd {1} && chown -R {0} "
            "store endpoints templates spares",
            user.name, options.data_directory));
}

// A server without them answers, and can do nothing.
void warn_of_missing_postgres(const ServeOptions& options, const compute::Manager& computes) {
    for (const std::string& directory : options.postgres_directories)
        if (!compute::holds_postgres(directory + "/{major}"))
            log::warn(
                "serve: --pg-dir {} holds no PostgreSQL: expected {}/<major>/bin/postgres and "
                "initdb beside it, of {}",
                directory, directory, fmt::join(compute::kPostgresMajors, ", "));
    if (computes.majors().empty())
        log::warn(
            "serve: there is no PostgreSQL that can be run, so no project can be made (hint: "
            "install one of {}, as script/setup does, or name its place with --pg-dir; then start "
            "again)",
            fmt::join(compute::kPostgresMajors, ", "));
}

// A database that is lost must not be taken for a new server's: its records would go the same way.
Result<std::unique_ptr<meta::Meta>> open_metadata(const std::string& path,
                                                  const std::string& records,
                                                  const std::string& store_root) {
    auto meta = meta::Meta::open(path);
    if (!meta && meta.error().code() == Code::data_loss)
        return std::move(meta)
            .error()
            .context("open metadata")
            .with_hint("`tarn recover-metadata` makes it anew of its records in " + records);
    auto opened = TRY_CTX(std::move(meta), "open metadata");
    TRY_CTX(control::check_records(*opened, records, store_root), "open metadata");
    return opened;
}

// Whether a token lets its bearer in.
Result<bool> is_accepted(control::Identities& identities, const std::string& token) {
    auto caller = identities.authenticate(token);
    if (caller.ok()) return true;
    if (caller.error().code() == Code::unauthenticated) return false;
    return std::move(caller).error();
}

// The administrator's token is shown once, at the first start; a profile gets one whenever it lacks
// one that is good (its data directory may have been made anew).
Result<void> introduce(control::Identities& identities, const ServeOptions& options) {
    auto first = identities.bootstrap(options.admin);
    if (!first.ok() && first.error().code() == Code::invalid_argument)
        return std::move(first).error().with_hint(
            "--admin names the administrator, such as admin@example.com");
    auto token = TRY(std::move(first));
    if (token) {
        std::printf("administrator: %s\ntoken (shown only now): %s\n", options.admin.c_str(),
                    token->c_str());
        std::fflush(stdout);
    }
    if (options.profile_file.empty()) return {};
    std::string host = "http://" + options.http;
    if (TRY(is_accepted(identities, token_in_profile(options.profile_file, host)))) return {};
    if (!token) {
        auto made = identities.create_token(options.admin, "profile");
        if (!made.ok())
            return std::move(made)
                .error()
                .context("make a token for profile " + options.profile_file)
                .with_hint("--admin names the administrator of the first start");
        token = std::move(made).value();
    }
    TRY_CTX(write_profile(options.profile_file, host, *token), "write profile");
    return {};
}

Result<api::ServerInfo> server_info(const ServeOptions& options, control::Identities& identities) {
    return api::ServerInfo{.version = TARN_VERSION,
                           .http_address = options.http,
                           .data_directory = options.data_directory,
                           .workspace_id = TRY(identities.workspace_id()),
                           .start_time = sys::real_clock().now()};
}

// The signals that end the server; blocked in every thread, taken by serve() alone.
sigset_t end_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return signals;
}

}  // namespace

Result<void> serve(const ServeOptions& options) {
    sigset_t signals = end_signals();
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    // What can be refused is, before the first start makes an administrator and shows the token.
    TRY(check_descriptor_limit());
    control::Options wishes = TRY(control_options(options));
    if (!options.profile_file.empty()) TRY(check_profile(options.profile_file));
    InstanceLock lock = TRY(InstanceLock::take(options.data_directory));
    TRY(check_store_owner(options));
    auto api = TRY(listen_for_api(options));

    auto computes = TRY_CTX(compute::Manager::open(manager_options(options)), "open computes");
    warn_of_missing_postgres(options, *computes);
    auto meta = TRY(open_metadata(options.data_directory + "/meta.db", wishes.records_directory,
                                  compute::Layout(options.data_directory).store_root()));
    control::Environment environment{[] { return sys::real_clock().now(); },
                                     [] { return sys::real_random().number(); }};
    auto control = TRY_CTX(control::Control::open(*meta, *computes, environment, wishes),
                           "open control plane");
    FrontDoor door(*control, *meta, *computes);
    TRY(door.start(proxy_options(options), wishes.addresses.first()));

    TRY(introduce(control->identities, options));
    api::ServerInfo info = TRY(server_info(options, control->identities));
    control->set_front_door(&door);
    TRY_CTX(control->start(), "start control plane");
    api->serve(*control, info);
    log::info("serve: ready api=http://{} data={} computes_as={} postgres={}", options.http,
              options.data_directory, computes->user().name, fmt::join(computes->majors(), ","));

    int signal = 0;
    ::sigwait(&signals, &signal);
    log::info("serve: ends on signal {}; running computes go on, client connections end", signal);
    control->diffs.cancel();
    control->restore_checks.cancel();
    api->stop();
    control->stop();
    door.stop();
    return {};
}

}  // namespace tarn
