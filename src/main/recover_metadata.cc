#include "main/recover_metadata.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "compute/files.h"
#include "compute/layout.h"
#include "control/metadata_recovery.h"
#include "main/instance_lock.h"
#include "main/offline.h"
#include "main/serve_options.h"
#include "meta/copy.h"
#include "meta/projects.h"
#include "sys/clock.h"
#include "sys/descriptor.h"
#include "sys/paths.h"
#include "sys/randomness.h"

namespace tarn {

namespace {

using control::Recovered;

constexpr const char* kJournals[] = {"", "-wal", "-shm", "-journal"};

Result<void> sync_path(const std::string& path, int flags) {
    sys::Descriptor file(::open(path.c_str(), flags | O_CLOEXEC));
    if (!file.is_open() || ::fsync(file.fd()) != 0) return errno_error(errno, "sync " + path);
    return {};
}

// Refuses to lose a database that somebody could still serve.
Result<void> check_is_lost(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || status.st_size == 0) return {};
    auto whole = meta::check_database(path);
    if (!whole && whole.error().code() == Code::data_loss) return {};
    TRY(std::move(whole));
    auto opened = meta::Meta::open_reading(path);
    if (opened) {
        auto projects =
            (*opened)->read([](meta::Session& session) { return meta::count_projects(session); });
        if (projects && *projects == 0) return {};
    }
    return error(Code::already_exists, "{} can be opened: it is not lost", path)
        .with_hint(
            "start `tarn serve` with it; or name another place with --output, or move it "
            "away first, with its -wal");
}

// The old one stays, under another name, for whoever knows how to get something out of it.
Result<void> put_in_place(const std::string& made, const std::string& path) {
    if (::access((made + "-wal").c_str(), F_OK) == 0)
        return error(Code::internal, "{} still has a journal", made);
    TRY(sync_path(made, O_RDONLY));
    std::string aside = fmt::format("{}.lost-{}", path, rfc3339(sys::real_clock().now()));
    for (const char* end : kJournals)
        if (std::rename((path + end).c_str(), (aside + end).c_str()) != 0 && errno != ENOENT)
            return errno_error(errno, fmt::format("rename {}{}", path, end));
    if (std::rename(made.c_str(), path.c_str()) != 0)
        return errno_error(errno, fmt::format("rename {} to {}", made, path));
    return sync_path(path.substr(0, path.rfind('/')), O_RDONLY | O_DIRECTORY);
}

Result<Recovered> recover(const ServeOptions& server, const RecoverMetadataOptions& options,
                          const std::string& path) {
    std::string root = compute::Layout(server.data_directory).store_root();
    TRY(owner_of(root));  // first: the lock would make a directory that is not there
    auto lock = TRY(InstanceLock::take(server.data_directory));
    TRY(check_is_lost(path));
    auto records = TRY(control::read_records(control::records_directory(server.data_directory)));
    control::RecoveryRequest request;
    request.attach = options.attach;
    request.owner = options.owner.empty() ? server.admin : options.owner;
    request.addresses = TRY(control::AddressBlock::parse(server.address_block));
    control::Environment environment{[] { return sys::real_clock().now(); },
                                     [] { return sys::real_random().number(); }};
    std::string made = path + ".recovering";
    for (const char* end : kJournals)
        if (::unlink((made + end).c_str()) != 0 && errno != ENOENT)
            return errno_error(errno, fmt::format("remove {}{}", made, end));
    auto store = TRY(open_existing_store(root));
    Recovered recovered;
    {
        auto meta = TRY(meta::Meta::open(made));
        recovered = TRY(control::recover_metadata(*meta, records, store, request, environment));
    }
    for (const std::string& each : {made, server.data_directory + "/server.lock"})
        TRY(compute::give_to_owner_of(server.data_directory, each));
    TRY(put_in_place(made, path));
    return recovered;
}

std::vector<std::string> what_to_do(const Recovered& recovered) {
    std::vector<std::string> lines{
        "database credentials that were given out before are refused: clients ask for new ones, as "
        "they do every hour",
        "operations that had ended cannot be looked up any more"};
    if (recovered.tokens > 0)
        lines.push_back("access tokens are good as before");
    else
        lines.push_back(
            "access tokens are lost: `tarn serve` prints a new one of the administrator "
            "when it starts; give it to the clients");
    return lines;
}

nlohmann::ordered_json json_of(const Recovered& recovered, const std::string& path) {
    using Json = nlohmann::ordered_json;
    Json unnamed = Json::array();
    for (const auto& each : recovered.unnamed)
        unnamed.push_back({{"lineage", each.lineage},
                           {"pg_major", each.pg_major},
                           {"newest_restore_point", each.newest},
                           {"project", each.project},
                           {"branch", each.branch}});
    return {{"database", path},
            {"projects", recovered.projects},
            {"branches", recovered.branches},
            {"endpoints", recovered.endpoints},
            {"roles", recovered.roles},
            {"databases", recovered.databases},
            {"snapshots", recovered.snapshots},
            {"schedules", recovered.schedules},
            {"users", recovered.users},
            {"tokens", recovered.tokens},
            {"operations_under_way", recovered.operations},
            {"lost", recovered.lost},
            {"notes", recovered.notes},
            {"unnamed_lineages", std::move(unnamed)},
            {"to_do", what_to_do(recovered)}};
}

void print(const Recovered& recovered, const std::string& path) {
    std::printf(
        "recovered %lld projects, %lld branches, %lld endpoints, %lld snapshots, %lld "
        "schedules, %lld roles, %lld databases, %lld users, %lld tokens to %s\n",
        static_cast<long long>(recovered.projects), static_cast<long long>(recovered.branches),
        static_cast<long long>(recovered.endpoints), static_cast<long long>(recovered.snapshots),
        static_cast<long long>(recovered.schedules), static_cast<long long>(recovered.roles),
        static_cast<long long>(recovered.databases), static_cast<long long>(recovered.users),
        static_cast<long long>(recovered.tokens), path.c_str());
    for (const std::string& each : recovered.lost) std::printf("lost: %s\n", each.c_str());
    for (const std::string& each : recovered.notes) std::printf("note: %s\n", each.c_str());
    for (const auto& each : recovered.unnamed) {
        std::string of = each.project.empty() ? "of no project that is known"
                                              : fmt::format("of project {}", each.project);
        std::printf("unnamed: lineage %s, PostgreSQL %d, newest restore point %s, %s%s\n",
                    each.lineage.c_str(), each.pg_major,
                    each.newest.empty() ? "none" : each.newest.c_str(), of.c_str(),
                    each.branch.empty() ? "; --attach-unnamed makes a branch of it"
                                        : fmt::format(": now {}", each.branch).c_str());
    }
    for (const std::string& each : what_to_do(recovered)) std::printf("note: %s\n", each.c_str());
}

}  // namespace

void add_recover_metadata_options(CLI::App& command, RecoverMetadataOptions& options) {
    add_data_directory_options(command, options.config_file, options.data_directory);
    command.add_option("--output", options.output,
                       "Write the database there, instead of in the place of the lost one");
    command.add_flag("--attach-unnamed", options.attach,
                     "Make branches recovered-<lineage> of storage that no record names");
    command.add_option("--owner", options.owner,
                       "Of projects that are made for those; else the server's --admin");
    command.add_flag("--json", options.json, "Print the result as one JSON object");
}

int recover_metadata_command(const CLI::App& command, const RecoverMetadataOptions& options) {
    auto server = find_server_options(command, options.config_file, options.data_directory);
    if (!server) return report(server.error());
    auto path = sys::absolute_path(options.output.empty() ? server->data_directory + "/meta.db"
                                                          : options.output);
    if (!path) return report(path.error());
    auto recovered = recover(*server, options, *path);
    if (!recovered) return report(std::move(recovered).error().context("recover the metadata"));
    if (options.json)
        std::puts(json_of(*recovered, *path)
                      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                      .c_str());
    else
        print(*recovered, *path);
    return recovered->lost.empty() ? 0 : info(Code::data_loss).exit_status;
}

}  // namespace tarn
