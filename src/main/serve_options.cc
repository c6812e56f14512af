#include "main/serve_options.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/time.h"
#include "control/addresses.h"
#include "main/config_file.h"
#include "main/setting_values.h"
#include "sys/sockets.h"

namespace tarn {

namespace {

// For the library: "" if `parse` takes the value, else why not.
template <class Parse>
auto form(Parse parse) {
    return [parse](const std::string& value) {
        auto parsed = parse(value);
        return parsed.ok() ? "" : parsed.error().text();
    };
}

Result<void> check_network_address(const std::string& text) {
    if (!text.empty()) TRY(sys::SocketAddress::parse(text, 1));
    return {};
}

}  // namespace

std::string default_home() {
    const char* home = std::getenv("HOME");
    if (::geteuid() == 0 || !home || !*home) return "/var/lib/tarn";
    return std::string(home) + "/.tarn";
}

std::string program_directory() {
    std::error_code failure;
    return std::filesystem::read_symlink("/proc/self/exe", failure).parent_path();
}

std::vector<std::string> postgres_places(const std::vector<std::string>& configured) {
    std::vector<std::string> places;
    for (const std::string& directory : configured) places.push_back(directory + "/{major}");
    places.emplace_back("/usr/lib/postgresql/{major}");
    places.push_back(program_directory() + "/../postgres/{major}");
    places.push_back(default_home() + "/postgres/{major}");
    return places;
}

void add_data_directory_options(CLI::App& command, std::string& config_file,
                                std::string& data_directory) {
    data_directory = default_home() + "/data";
    command.add_option("--config", config_file, "TOML file with any settings of `tarn serve`")
        ->configurable(false)
        ->envname("TARN_CONFIG");
    command.add_option("--data-dir", data_directory, "Where everything is kept")
        ->envname("TARN_DATA_DIR")
        ->capture_default_str();
}

Result<ServeOptions> find_server_options(const CLI::App& command, const std::string& config_file,
                                         const std::string& data_directory) {
    // The file is the server's: all of its keys are, and each is held to its form.
    CLI::App serve;
    ServeOptions settings;
    add_serve_options(serve, settings);
    settings.config_file = config_file;
    if (command.get_option("--data-dir")->count() > 0)
        serve.get_option("--data-dir")->add_result(data_directory)->run_callback();
    return complete(serve, settings);
}

Result<std::string> find_data_directory(const CLI::App& command, const std::string& config_file,
                                        const std::string& data_directory) {
    return TRY(find_server_options(command, config_file, data_directory)).data_directory;
}

void add_serve_options(CLI::App& command, ServeOptions& options) {
    add_data_directory_options(command, options.config_file, options.data_directory);
    command.add_option("--http", options.http, "Address and port of the API")
        ->check(form(parse_http_address))
        ->envname("TARN_HTTP")
        ->capture_default_str();
    command
        .add_option("--address-block", options.address_block,
                    "Loopback addresses for endpoints, one each")
        ->check(form(control::AddressBlock::parse))
        ->envname("TARN_ADDRESS_BLOCK")
        ->capture_default_str();
    command.add_option("--pg-port", options.pg_port, "Port of every endpoint; clients expect 5432")
        ->check(CLI::Range(1, 65535))
        ->envname("TARN_PG_PORT")
        ->capture_default_str();
    command
        .add_option("--network-address", options.network_address,
                    "Also listen here, for endpoints named by SNI or options=endpoint=<uid>")
        ->check(form(check_network_address))
        ->envname("TARN_NETWORK_ADDRESS");
    command
        .add_option("--network-domain", options.network_domain, "Domain of <uid>.<domain> names")
        ->envname("TARN_NETWORK_DOMAIN");
    command.add_option("--tls-certificate", options.tls_certificate, "PEM chain of your own")
        ->envname("TARN_TLS_CERTIFICATE");
    command.add_option("--tls-key", options.tls_key, "PEM key of that certificate")
        ->envname("TARN_TLS_KEY");
    command
        .add_option("--pg-dir", options.postgres_directories,
                    "Directory that holds <major>/bin/postgres; searched first; may be repeated")
        ->envname("TARN_PG_DIR");
    command
        .add_option("--compute-user", options.compute_user,
                    "Unprivileged user of the computes, if the server is root")
        ->envname("TARN_COMPUTE_USER");
    command.add_option("--shared-buffers", options.shared_buffers, "Of every compute")
        ->check(form(parse_shared_buffers))
        ->envname("TARN_SHARED_BUFFERS")
        ->capture_default_str();
    command
        .add_option("--history-dense", options.history_dense,
                    "Younger moments keep every restore point, if the budget has room for them")
        ->check(form(parse_duration))
        ->envname("TARN_HISTORY_DENSE")
        ->capture_default_str();
    command
        .add_option("--history-budget", options.history_budget,
                    "What older versions of a branch's pages may take, as a multiple of its size")
        ->check(CLI::Range(0.0, 1e6))
        ->envname("TARN_HISTORY_BUDGET")
        ->capture_default_str();
    command
        .add_option("--history-packing", options.history_packing,
                    "Compress versions of pages that only older restore points show: true or false")
        ->check(CLI::IsMember({"true", "false"}))
        ->envname("TARN_HISTORY_PACKING")
        ->default_str("true");
    command
        .add_option("--disk-low", options.disk_low,
                    "Free space below which no project, branch or restore is made; auto follows "
                    "from the disk's size, 0 is never")
        ->check(form(parse_disk_limit))
        ->envname("TARN_DISK_LOW")
        ->capture_default_str();
    command
        .add_option("--disk-critical", options.disk_critical,
                    "Free space below which computes only read; as --disk-low")
        ->check(form(parse_disk_limit))
        ->envname("TARN_DISK_CRITICAL")
        ->capture_default_str();
    command
        .add_option("--scrub-every", options.scrub_every,
                    "How often all that a branch rests on is read and verified; 0s: never")
        ->check(form(parse_duration))
        ->envname("TARN_SCRUB_EVERY")
        ->capture_default_str();
    command.add_option("--scrub-rate", options.scrub_rate, "MiB a second that are read for that")
        ->check(CLI::Range(0.01, 1e6))
        ->envname("TARN_SCRUB_RATE")
        ->capture_default_str();
    command
        .add_option("--restore-check-every", options.restore_check_every,
                    "How often a branch is opened at some moment and checked; 0s: never")
        ->check(form(parse_duration))
        ->envname("TARN_RESTORE_CHECK_EVERY")
        ->capture_default_str();
    command
        .add_option("--compaction-calm", options.compaction_calm,
                    "Scattered pages are moved together where nothing was written for so long; 0s: "
                    "never")
        ->check(form(parse_duration))
        ->envname("TARN_COMPACTION_CALM")
        ->capture_default_str();
    command.add_option("--admin", options.admin, "User name of the administrator (first start)")
        ->envname("TARN_ADMIN")
        ->capture_default_str();
    command
        .add_option("--write-profile", options.profile_file,
                    "Write host and a token there, as ~/.databrickscfg has them")
        ->envname("TARN_WRITE_PROFILE");
    command.add_option("--log-level", options.log_level, "debug, info, warn or error")
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
        ->envname("TARN_LOG_LEVEL")
        ->capture_default_str();
    command
        .add_flag("--development", options.development,
                  "Allow idle times below 60 s and history retention below 2 days, for tests")
        ->envname("TARN_DEVELOPMENT");
}

Result<ServeOptions> complete(CLI::App& command, ServeOptions& options) {
    if (!options.config_file.empty()) TRY(apply_config_file(command, options.config_file));
    ServeOptions whole = options;
    std::vector<std::string*> paths{&whole.data_directory, &whole.profile_file,
                                    &whole.tls_certificate, &whole.tls_key};
    for (std::string& directory : whole.postgres_directories) paths.push_back(&directory);
    for (std::string* path : paths) {
        std::error_code failure;
        if (!path->empty()) *path = std::filesystem::absolute(*path, failure).lexically_normal();
        if (failure)
            return error(Code::invalid_argument, "find '{}': {}", *path, failure.message());
    }
    if (whole.tls_certificate.empty() != whole.tls_key.empty())
        return error(Code::invalid_argument, "--tls-certificate and --tls-key go together")
            .with_hint("give both, or neither for certificates of the local authority");
    auto low = TRY(parse_disk_limit(whole.disk_low));
    auto critical = TRY(parse_disk_limit(whole.disk_critical));
    if (low && critical && *critical > *low)
        return error(Code::invalid_argument, "--disk-critical is more than --disk-low")
            .with_hint("computes stop writing when even less is free than for anything new");
    if (whole.network_address.empty() != whole.network_domain.empty())
        return error(Code::invalid_argument, "--network-address and --network-domain go together")
            .with_hint("give both, or neither for endpoints on loopback addresses alone");
    return whole;
}

}  // namespace tarn
