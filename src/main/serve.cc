#include "main/serve.h"

#include <pthread.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "api/server.h"
#include "base/log.h"
#include "compute/manager.h"
#include "main/front_door.h"
#include "main/instance_lock.h"
#include "main/profile.h"
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

std::string program_directory() {
    std::error_code failure;
    return std::filesystem::read_symlink("/proc/self/exe", failure).parent_path();
}

compute::ManagerOptions manager_options(const ServeOptions& options) {
    std::string program = program_directory();
    compute::ManagerOptions manager;
    manager.data_directory = options.data_directory;
    for (const std::string& directory : options.postgres_directories)
        manager.postgres_directories.push_back(directory + "/{major}");
    manager.postgres_directories.push_back("/usr/lib/postgresql/{major}");
    manager.postgres_directories.push_back(program + "/../postgres/{major}");
    manager.postgres_directories.push_back(default_home() + "/postgres/{major}");
    manager.shim = program + "/libtarn_shim.so";
    manager.supervisor_command = {program + "/tarn", "supervise"};
    manager.user = options.compute_user;
    manager.shared_buffers = options.shared_buffers;
    return manager;
}

Result<control::Options> control_options(const ServeOptions& options) {
    control::Options control;
    control.addresses = TRY(control::AddressBlock::parse(options.address_block));
    if (options.development) control.least_suspend = Span{0};
    return control;
}

proxy::Options proxy_options(const ServeOptions& options) {
    proxy::Options proxy;
    proxy.port = options.pg_port;
    proxy.network_address = options.network_address;
    proxy.network_port = options.pg_port;
    proxy.tls = {.directory = options.data_directory,
                 .domain = options.network_domain,
                 .certificate_file = options.tls_certificate,
                 .key_file = options.tls_key};
    return proxy;
}

// The administrator's token is shown once, at the first start; a profile gets one whenever it lacks
// one.
Result<void> introduce(control::Identities& identities, const ServeOptions& options) {
    std::string host = "http://" + options.http;
    auto token = TRY(identities.bootstrap(options.admin));
    if (token)
        std::printf("administrator: %s\ntoken (shown only now): %s\n", options.admin.c_str(),
                    token->c_str());
    if (!options.profile_file.empty() && !profile_names_host(options.profile_file, host)) {
        if (!token) token = TRY(identities.create_token(options.admin, "profile"));
        TRY_CTX(write_profile(options.profile_file, host, *token), "write profile");
    }
    std::fflush(stdout);
    return {};
}

Result<std::unique_ptr<api::Server>> start_api(const ServeOptions& options,
                                               control::Control& control) {
    auto colon = options.http.rfind(':');
    uint16_t port = 0;
    const char* end = options.http.data() + options.http.size();
    if (colon == options.http.npos ||
        std::from_chars(options.http.data() + colon + 1, end, port).ptr != end)
        return error(Code::invalid_argument, "listen on '{}': expected ADDRESS:PORT", options.http);
    return api::Server::start(control, options.http.substr(0, colon), port,
                              {.version = TARN_VERSION,
                               .http_address = options.http,
                               .data_directory = options.data_directory,
                               .workspace_id = TRY(control.identities.workspace_id()),
                               .start_time = sys::real_clock().now()});
}

// The signals that end the server; blocked in every thread, taken by wait_for_end() alone.
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
    TRY(check_descriptor_limit());
    InstanceLock lock = TRY(InstanceLock::take(options.data_directory));
    control::Options wishes = TRY(control_options(options));

    auto meta = TRY_CTX(meta::Meta::open(options.data_directory + "/meta.db"), "open metadata");
    auto computes = TRY_CTX(compute::Manager::open(manager_options(options)), "open computes");
    control::Environment environment{[] { return sys::real_clock().now(); },
                                     [] { return sys::real_random().number(); }};
    auto control = TRY_CTX(control::Control::open(*meta, *computes, environment, wishes),
                           "open control plane");
    TRY(introduce(control->identities, options));

    FrontDoor door(*control, *meta, *computes);
    TRY(door.start(proxy_options(options), options.address_block));
    control->set_front_door(&door);
    TRY_CTX(control->start(), "start control plane");
    auto api = TRY_CTX(start_api(options, *control), "start API");
    log::info("serve: ready api=http://{} data={} computes_as={} postgres={}", options.http,
              options.data_directory, computes->user().name, fmt::join(computes->majors(), ","));

    int signal = 0;
    ::sigwait(&signals, &signal);
    log::info("serve: ends on signal {}; running computes go on, client connections end", signal);
    api->stop();
    control->stop();
    door.stop();
    return {};
}

}  // namespace tarn
