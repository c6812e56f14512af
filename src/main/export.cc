#include "main/export.h"

#include <cstdio>

#include "compute/export.h"
#include "compute/layout.h"
#include "control/lookup.h"
#include "control/names.h"
#include "main/offline.h"
#include "main/serve_options.h"
#include "sys/paths.h"

namespace tarn {

namespace {

Result<compute::Moment> parse_moment(const std::string& text) {
    if (text.empty()) return compute::Moment{compute::Newest{}};
    if (auto lsn = Lsn::parse(text)) return compute::Moment{*lsn};
    if (auto time = parse_rfc3339(text)) return compute::Moment{*time};
    return error(Code::invalid_argument, "--at {} is neither a time nor a position", text)
        .with_hint("write a time as 2026-11-22T10:15:00Z, a position as 0/1A2B3C8");
}

Result<uint64_t> lineage_of(const std::string& data_directory, const std::string& branch) {
    auto name = TRY(control::parse_name("BRANCH", branch, control::ResourceKind::branch));
    auto meta = meta::Meta::open_reading(data_directory + "/meta.db");
    if (!meta && meta.error().code() == Code::permission_denied)
        return std::move(meta).error().with_hint(
            "only the user that the server runs as, and root, can read its metadata");
    if (!meta && meta.error().code() == Code::not_found)
        return std::move(meta).error().with_hint(
            "name the server's data directory with --data-dir");
    auto metadata = TRY(std::move(meta));
    auto found = TRY_CTX(metadata->read([&](meta::Session& session) {
        return control::live_branch(session, name.project, name.branch);
    }),
                         "find {}", branch);
    return compute::parse_lineage_id(found.branch.lineage);
}

Result<compute::PostgresInstall> postgres_for(const compute::MomentSource& source,
                                              const std::vector<std::string>& configured,
                                              const compute::ComputeUser& user) {
    auto installs = compute::find_postgres(postgres_places(configured), user);
    int major = source.control.file.major;
    auto found = installs.find(major);
    if (found != installs.end()) return found->second;
    return error(Code::not_found, "PostgreSQL {} is not installed on this machine", major)
        .with_hint(
            "the export is recovered by it: install it, or name its directory with --pg-dir");
}

}  // namespace

void add_export_options(CLI::App& command, ExportOptions& options) {
    add_data_directory_options(command, options.config_file, options.data_directory);
    command
        .add_option("--pg-dir", options.postgres_directories,
                    "Directory that holds <major>/bin/postgres; searched first; may be repeated")
        ->envname("TARN_PG_DIR");
    command.add_option("--at", options.moment,
                       "A moment of the past, a time (RFC 3339) or a position; else the newest");
    command.add_option("BRANCH", options.branch, "projects/<id>/branches/<id>")->required();
    command.add_option("DIR", options.directory, "Where to: empty, or not there yet")->required();
}

Result<void> export_branch(const CLI::App& command, const ExportOptions& options) {
    auto moment = TRY(parse_moment(options.moment));
    auto server = TRY(find_server_options(command, options.config_file, options.data_directory));
    auto lineage = TRY(lineage_of(server.data_directory, options.branch));
    std::string root = compute::Layout(server.data_directory).store_root();
    auto owner = TRY(owner_of(root));
    auto open = [&]() -> Result<std::pair<store::Store, compute::MomentSource>> {
        compute::ActAs acting(owner);
        auto store = TRY(open_existing_store(root));
        auto source = TRY(compute::find_moment(store, lineage, moment));
        return std::pair(std::move(store), std::move(source));
    };
    auto [store, source] = TRY(open());
    compute::ExportTarget target{TRY(sys::absolute_path(options.directory)), {}, owner};
    auto heir = TRY(compute::owner_of_export(target));
    const auto& configured = options.postgres_directories.empty() ? server.postgres_directories
                                                                  : options.postgres_directories;
    target.postgres = TRY(postgres_for(source, configured, heir));
    TRY_CTX(compute::export_moment(store, source, target), "export {} to {}", options.branch,
            target.directory);
    std::printf("exported %s as of %s, %s, to %s\nstart it with PostgreSQL %d: %s -D %s\n",
                options.branch.c_str(), source.end.end.text().c_str(), rfc3339(source.time).c_str(),
                target.directory.c_str(), source.control.file.major,
                target.postgres.postgres().c_str(), target.directory.c_str());
    return {};
}

}  // namespace tarn
