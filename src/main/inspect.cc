#include "main/inspect.h"

#include <cstdio>
#include <filesystem>
#include <limits>

#include "compute/layout.h"
#include "inspect/tree.h"
#include "main/offline.h"
#include "main/serve_options.h"
#include "meta/branches.h"
#include "meta/projects.h"
#include "meta/snapshots.h"
#include "pg/relation_path.h"
#include "sys/paths.h"

namespace tarn {

namespace {

using inspect::Document;

// Each lineage by the name of its branch or snapshot.
Result<inspect::LineageNames> names_in(meta::Session& session) {
    inspect::LineageNames names;
    constexpr auto kAll = std::numeric_limits<int64_t>::max();
    for (const auto& project : TRY(meta::list_projects(session, "", true, kAll))) {
        for (const auto& branch : TRY(meta::all_branches(session, project.uid))) {
            bool gone = branch.state != meta::State::ready;
            names[branch.lineage] =
                fmt::format("projects/{}/branches/{}{}", project.id, branch.id,
                            gone ? fmt::format(" ({})", name(branch.state)) : "");
        }
        for (const auto& snapshot : TRY(meta::all_snapshots(session, project.uid)))
            names[snapshot.lineage] =
                fmt::format("projects/{}/snapshots/{}", project.id, snapshot.id);
    }
    return names;
}

// A store without its metadata can be looked at, too.
inspect::LineageNames names_of(const std::string& data_directory) {
    auto meta = meta::Meta::open_reading(data_directory + "/meta.db");
    if (!meta) return {};
    auto names = (*meta)->read(names_in);
    return names ? std::move(*names) : inspect::LineageNames{};
}

Result<uint64_t> lineage_named(const std::string& what, const inspect::LineageNames& names) {
    for (const auto& [lineage, name] : names)
        if (name == what) return compute::parse_lineage_id(lineage);
    auto lineage = compute::parse_lineage_id(what);
    if (lineage) return lineage;
    return error(Code::not_found, "{} is no file, no lineage and no branch", what)
        .with_hint("`tarn inspect` without a name lists lineages and branches");
}

// A directory of a lineage, or of one of its incarnations, stands for the lineage.
Result<std::string> lineage_of_directory(const std::string& path) {
    std::filesystem::path directory = TRY(sys::absolute_path(path));
    if (compute::parse_lineage_id(directory.filename().string()))
        return directory.filename().string();
    return directory.parent_path().filename().string();
}

Result<Document> look_at_store(const CLI::App& command, const InspectOptions& options,
                               inspect::Narrow narrow) {
    auto directory = TRY(find_data_directory(command, options.config_file, options.data_directory));
    auto names = names_of(directory);
    std::string root = compute::Layout(directory).store_root();
    auto owner = TRY(owner_of(root));
    compute::ActAs acting(owner);
    auto store = TRY(open_existing_store(root));
    if (options.what.empty()) return inspect::store_document(store, names);
    std::error_code failure;
    bool is_directory = std::filesystem::is_directory(options.what, failure);
    std::string what = options.what;
    if (is_directory) what = TRY(lineage_of_directory(what));
    uint64_t lineage = TRY(lineage_named(what, names));
    if (!narrow.relation) return inspect::lineage_document(store, lineage, names);
    if (!narrow.block)
        return error(Code::invalid_argument, "--relation of a lineage needs a --block")
            .with_hint("--block 0, or name a restore point or an index, which list files");
    // As PostgreSQL counts them, through all the files of a relation.
    FileId file = *narrow.relation;
    file.lo += *narrow.block / pg::kRelationSegmentBlocks;
    return inspect::block_document(store, lineage,
                                   {file, *narrow.block % pg::kRelationSegmentBlocks});
}

// What would be read past without a word, and is not what was meant.
Result<void> check_narrowing(const InspectOptions& options, bool is_file) {
    if (options.block && options.relation.empty())
        return error(Code::invalid_argument, "--block {} of which relation?", *options.block)
            .with_hint("name it with --relation, such as base/5/16384 or 1663/5/16384");
    if (!options.relation.empty() && options.what.empty())
        return error(Code::invalid_argument, "--relation {} of which branch?", options.relation)
            .with_hint("name a branch, a lineage or a file before it");
    if (!is_file && (options.from > 0 || options.to))
        return error(Code::invalid_argument, "--from and --to choose slots of a file")
            .with_hint("name a .slots or .pages file of the store");
    return {};
}

Result<Document> look(const CLI::App& command, const InspectOptions& options) {
    std::error_code failure;
    bool is_file = std::filesystem::is_regular_file(options.what, failure);
    TRY(check_narrowing(options, is_file));
    inspect::Narrow narrow;
    if (!options.relation.empty()) narrow.relation = TRY(inspect::parse_relation(options.relation));
    narrow.block = options.block;
    narrow.from = options.from;
    narrow.to = options.to;
    narrow.limit = options.limit;
    if (!is_file) return look_at_store(command, options, narrow);
    auto target = TRY(inspect::recognise(options.what));
    auto document = TRY(inspect::view(target, narrow));
    Document whole{{"format", inspect::name_of(target.kind)}, {"path", target.path}};
    whole.update(document);
    return whole;
}

Document formats() {
    Document rows = Document::array();
    for (const inspect::KindInfo& kind : inspect::kinds())
        rows.push_back({{"format", kind.name}, {"page", kind.page}});
    return {{"formats", std::move(rows)}};
}

}  // namespace

void add_inspect_options(CLI::App& command, InspectOptions& options) {
    add_data_directory_options(command, options.config_file, options.data_directory);
    command.add_option("WHAT", options.what,
                       "A file, a lineage, or projects/<id>/branches/<id>; else the whole store");
    command.add_option("--relation", options.relation,
                       "Only this file of pages: 1663/5/16384, or base/5/16384");
    command.add_option("--block", options.block,
                       "Of that --relation; of a branch: where each version of it lies");
    command.add_option("--from", options.from, "Slots from this one");
    command.add_option("--to", options.to, "Slots below this one");
    command.add_option("--limit", options.limit, "Rows of a list")->capture_default_str();
    command.add_flag("--json", options.json, "Print one JSON object");
    command.add_flag("--formats", options.formats, "List the formats that have a view");
}

int inspect_command(const CLI::App& command, const InspectOptions& options) {
    auto document = options.formats ? Result<Document>(formats()) : look(command, options);
    if (!document) return report(document.error());
    std::fputs((options.json ? inspect::as_json(*document) : inspect::as_text(*document)).c_str(),
               stdout);
    return inspect::has_damage(*document) ? info(Code::data_loss).exit_status : 0;
}

}  // namespace tarn
