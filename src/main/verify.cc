#include "main/verify.h"

#include <chrono>
#include <cstdio>
#include <optional>
#include <set>

#include "compute/layout.h"
#include "compute/lost_records.h"
#include "compute/user.h"
#include "compute/verify_store.h"
#include "control/branch_health.h"
#include "main/offline.h"
#include "main/progress_line.h"
#include "main/serve_options.h"
#include "main/verify_report.h"
#include "meta/lineage_owners.h"
#include "store/orphans.h"
#include "store/paths.h"

namespace tarn {

namespace {

using Clock = std::chrono::steady_clock;

// Nothing where the metadata cannot be read: findings are told of lineages then.
std::optional<LineageNames> names_in(const std::string& data_directory) {
    auto meta = meta::Meta::open_reading(data_directory + "/meta.db");
    if (!meta.ok()) return std::nullopt;
    auto owners = (*meta)->read(meta::all_lineage_owners);
    if (!owners.ok()) return std::nullopt;
    LineageNames names;
    for (const auto& [lineage, owner] : *owners)
        names[lineage] = (owner.is_snapshot ? "snapshot " : "branch ") + control::owner_name(owner);
    return names;
}

constexpr const char* kUnnamed =
    "it holds data, and no branch or snapshot in meta.db is its; `tarn recover-metadata "
    "--attach-unnamed` can name it, and docs/operate/recover.md says how to remove it";

// The names were read after the lineages were listed: what has been made since is in neither.
Result<void> add_unnamed(const std::string& data_directory, const LineageNames& names,
                         compute::StoreFindings& findings) {
    std::string root = compute::Layout(data_directory).store_root();
    auto user = TRY(owner_of(root));
    compute::ActAs acting(user);
    auto store = TRY(open_existing_store(root));
    std::set<compute::LineageId> named;
    for (const auto& [lineage, name] : names) named.insert(lineage);
    std::vector<uint64_t> found;
    for (const auto& each : findings.lineages) found.push_back(each.lineage);
    for (uint64_t lineage : TRY(compute::unnamed_among(store, found, named))) {
        std::string path = store::lineage_directory(store.root().c_str(), lineage).text;
        uint64_t bytes = store::bytes_below(store.disk(), path);
        findings.orphans.push_back({std::move(path), kUnnamed, bytes});
    }
    return {};
}

Result<compute::StoreFindings> look(const std::string& data_directory,
                                    const VerifyOptions& options) {
    std::string root = compute::Layout(data_directory).store_root();
    auto user = TRY(owner_of(root));
    compute::ActAs acting(user);
    auto store = TRY(open_existing_store(root));
    compute::VerifyRequest request;
    for (const std::string& lineage : options.lineages) {
        auto id = compute::parse_lineage_id(lineage);
        if (!id)
            return std::move(id).error().with_hint(
                "`tarn inspect` lists the lineages, and which branch each is the storage of");
        request.lineages.push_back(*id);
    }
    ProgressLine line("verify", options.progress);
    if (line.is_shown())
        request.progress = [&line](const compute::VerifyProgress& now) {
            line.show(fmt::format("lineage {} of {}, {} pages, {} MiB", now.lineage, now.lineages,
                                  now.counts.pages, now.counts.bytes >> 20));
        };
    return compute::verify_store(store, request);
}

}  // namespace

void add_verify_options(CLI::App& command, VerifyOptions& options) {
    add_data_directory_options(command, options.config_file, options.data_directory);
    command.add_option("--lineage", options.lineages,
                       "Only this one, 16 hexadecimal digits; may be repeated");
    command.add_flag("--json", options.json, "Print the result as one JSON object");
    command.add_flag("--progress", options.progress,
                     "Show on stderr how far it is, also where that is no terminal");
}

int verify(const CLI::App& command, const VerifyOptions& options) {
    auto begun = Clock::now();
    auto directory = find_data_directory(command, options.config_file, options.data_directory);
    if (!directory) return report(directory.error());
    auto findings = look(*directory, options);
    if (!findings) return report(findings.error());
    std::chrono::duration<double> seconds = Clock::now() - begun;
    auto known = names_in(*directory);
    if (known && options.lineages.empty())
        if (auto added = add_unnamed(*directory, *known, *findings); !added)
            findings->unchecked.push_back({std::nullopt, std::move(added).error()});
    LineageNames names = known.value_or(LineageNames());
    std::fputs((options.json ? json_report(*findings, names, seconds.count())
                             : text_report(*findings, names, seconds.count()))
                   .c_str(),
               stdout);
    if (findings->damage_count() > 0) return info(Code::data_loss).exit_status;
    if (!findings->unchecked.empty())
        return info(findings->unchecked.front().why.code()).exit_status;
    return 0;
}

}  // namespace tarn
