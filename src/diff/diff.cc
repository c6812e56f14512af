#include "diff/diff.h"

#include <algorithm>
#include <set>

#include "diff/session.h"

namespace tarn::diff {

namespace {

using pg::PageChanges;

// Are they one file, of which the page store knows what changed?
bool is_one_file(const Table& from, const Table& to) {
    return from.database == to.database && from.file == to.file;
}

PageChanges::Blocks changed(const PageChanges& pages, uint32_t database, uint32_t file) {
    auto found = pages.relations.find({database, file});
    return found == pages.relations.end() ? PageChanges::Blocks{} : found->second;
}

std::vector<BlockRange> whole(const Table* table) {
    if (!table || table->blocks == 0) return {};
    return {{0, table->blocks}};
}

std::vector<BlockRange> cut_at(std::vector<BlockRange> ranges, uint32_t end) {
    std::erase_if(ranges, [&](const BlockRange& range) { return range.begin >= end; });
    if (!ranges.empty()) ranges.back().end = std::min(ranges.back().end, end);
    return ranges;
}

uint64_t changed_toast(const Table* from, const Table* to, const PageChanges& pages) {
    uint32_t most = std::max(from ? from->toast_blocks : 0, to ? to->toast_blocks : 0);
    bool one_file = from && to && from->database == to->database &&
                    from->toast_file == to->toast_file && from->toast_file != 0;
    return one_file ? changed(pages, from->database, from->toast_file).changed : most;
}

// Columns that came or went change every row; their values are none that both sides have.
Result<std::optional<RelationChange>> relation_change(const std::string& database,
                                                      const std::string& name,
                                                      const Query& from_query, const Table* from,
                                                      const Query& to_query, const Table* to,
                                                      const PageChanges& pages) {
    RelationChange change{.name = name, .direction = {}, .rows = {}};
    if (!from) change.direction = Direction::added;
    if (!to) change.direction = Direction::removed;
    bool one_file = from && to && is_one_file(*from, *to);
    auto file = one_file ? changed(pages, from->database, from->file) : PageChanges::Blocks{};
    change.changed_blocks =
        one_file ? file.changed : std::max(from ? from->blocks : 0, to ? to->blocks : 0);
    change.changed_toast_blocks = changed_toast(from, to, pages);
    bool in_blocks = one_file && pages.same_fates;
    TableSide before{from_query, from,
                     in_blocks ? cut_at(file.not_shared, from->blocks) : whole(from)};
    TableSide after{to_query, to, in_blocks ? cut_at(file.not_shared, to->blocks) : whole(to)};
    change.rows = TRY(count_rows(database, name, before, after));
    bool is_news = change.direction || change.changed_blocks > 0 ||
                   change.changed_toast_blocks > 0 || change.rows.any();
    return is_news ? std::optional(std::move(change)) : std::nullopt;
}

Result<std::vector<RelationChange>> relation_changes(const std::string& database, const Query& from,
                                                     const Query& to, const PageChanges& pages) {
    auto before = TRY(read_tables(from, database));
    auto after = TRY(read_tables(to, database));
    std::set<std::string> names;
    for (const auto& [name, table] : before) names.insert(name);
    for (const auto& [name, table] : after) names.insert(name);
    std::vector<RelationChange> changes;
    for (const std::string& name : names) {
        auto in_before = before.find(name);
        auto in_after = after.find(name);
        auto change = TRY(relation_change(
            database, name, from, in_before == before.end() ? nullptr : &in_before->second, to,
            in_after == after.end() ? nullptr : &in_after->second, pages));
        if (change) changes.push_back(std::move(*change));
    }
    return changes;
}

Result<std::set<std::string>> databases(const Query& query) {
    std::set<std::string> names;
    for (const auto& row :
         TRY(query("postgres", session_settings() + "SELECT datname FROM pg_database WHERE "
                                                    "datallowconn AND NOT datistemplate")))
        names.insert(row.at(0));
    return names;
}

}  // namespace

Result<Diff> diff_servers(const Query& from, const Query& to, const PageChanges& pages) {
    Diff diff;
    diff.server = schema_changes(TRY(read_server(from)), TRY(read_server(to)));
    auto there = TRY(databases(to));
    for (const std::string& name : TRY(databases(from))) {
        if (!there.contains(name)) continue;
        DatabaseDiff database{.name = name, .schema = {}, .relations = {}};
        database.schema =
            schema_changes(TRY(read_database(from, name)), TRY(read_database(to, name)));
        database.relations = TRY(relation_changes(name, from, to, pages));
        if (!database.schema.empty() || !database.relations.empty())
            diff.databases.push_back(std::move(database));
    }
    return diff;
}

}  // namespace tarn::diff
