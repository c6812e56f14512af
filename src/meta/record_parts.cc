#include "meta/record_parts.h"

#include <algorithm>

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

constexpr std::string_view kKinds[] = {"server", "project", "branch", "snapshot"};

constexpr std::string_view kPending = "done = 0 AND resource_uid = ?1";
constexpr RecordPart kParts[] = {
    {RecordKind::server, "settings", "?1 = ''", "''"},
    {RecordKind::server, "users", "?1 = ''", "''"},
    {RecordKind::server, "tokens", "?1 = ''", "''"},
    {RecordKind::project, "projects", "uid = ?1", "@.uid"},
    {RecordKind::project, "operations", kPending,
     "(SELECT uid FROM projects WHERE uid = @.resource_uid)"},
    {RecordKind::branch, "branches", "uid = ?1", "@.uid"},
    {RecordKind::branch, "endpoints", "branch_uid = ?1", "@.branch_uid"},
    {RecordKind::branch, "roles", "branch_uid = ?1", "@.branch_uid"},
    {RecordKind::branch, "databases", "branch_uid = ?1", "@.branch_uid"},
    {RecordKind::branch, "snapshot_schedules", "branch_uid = ?1", "@.branch_uid"},
    {RecordKind::branch, "operations",
     "done = 0 AND (resource_uid = ?1 OR resource_uid IN"
     " (SELECT uid FROM endpoints WHERE branch_uid = ?1))",
     "(SELECT uid FROM branches WHERE uid = @.resource_uid UNION"
     " SELECT branch_uid FROM endpoints WHERE uid = @.resource_uid)"},
    {RecordKind::snapshot, "snapshots", "uid = ?1", "@.uid"},
    {RecordKind::snapshot, "operations", kPending,
     "(SELECT uid FROM snapshots WHERE uid = @.resource_uid)"},
};
// A private key is worth more to a thief than to whoever recovers: clients ask for new tokens. What
// was found in lineages is found again.
constexpr std::string_view kUnrecorded[] = {"signing_keys", "verifications", "restore_checks"};
// Of a column that changes every minute, no record is written for its own sake.
constexpr std::string_view kNotWatched = "last_active_time";

std::string_view text_of(RecordKind kind) {
    return kKinds[static_cast<size_t>(kind)];
}

// Statements of a trigger that fires for row NEW or OLD.
std::string call_for(std::string_view table, std::string_view row) {
    std::string calls;
    for (const RecordPart& part : kParts) {
        if (part.table != table) continue;
        std::string owner(part.owner);
        for (size_t at = owner.find('@'); at != owner.npos; at = owner.find('@'))
            owner.replace(at, 1, row);
        calls += fmt::format("SELECT tarn_record_changed('{}', {});", text_of(part.kind), owner);
    }
    return calls;
}

}  // namespace

std::string RecordName::text() const {
    return uid.empty() ? std::string(text_of(kind)) : fmt::format("{}-{}", text_of(kind), uid);
}

std::optional<RecordName> parse_record_name(std::string_view text) {
    if (text == text_of(RecordKind::server)) return RecordName{};
    for (RecordKind kind : {RecordKind::project, RecordKind::branch, RecordKind::snapshot}) {
        std::string begin = fmt::format("{}-", text_of(kind));
        if (text.starts_with(begin) && text.size() > begin.size())
            return RecordName{kind, std::string(text.substr(begin.size()))};
    }
    return std::nullopt;
}

std::span<const RecordPart> record_parts() {
    return kParts;
}

std::string_view main_table(RecordKind kind) {
    return std::find_if(std::begin(kParts), std::end(kParts),
                        [&](const RecordPart& part) { return part.kind == kind; })
        ->table;
}

Result<std::set<std::string>> columns_of(Connection& connection, std::string_view table) {
    auto statement =
        TRY(connection.prepare(fmt::format("SELECT name FROM pragma_table_info('{}')", table)));
    std::set<std::string> names;
    while (TRY(statement.step())) names.insert(statement.text());
    return names;
}

Result<std::vector<RecordName>> all_records(Session& session) {
    std::vector<RecordName> names{RecordName{}};
    for (RecordKind kind : {RecordKind::project, RecordKind::branch, RecordKind::snapshot}) {
        auto statement = TRY(session.connection().prepare(
            fmt::format("SELECT uid FROM {} ORDER BY uid", main_table(kind))));
        while (TRY(statement.step())) names.push_back({kind, statement.text()});
    }
    return names;
}

Result<std::vector<std::string>> unrecorded_tables(Session& session) {
    auto statement = TRY(session.connection().prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"));
    std::vector<std::string> names;
    while (TRY(statement.step())) {
        std::string name = statement.text();
        bool recorded = std::any_of(std::begin(kParts), std::end(kParts),
                                    [&](const RecordPart& part) { return part.table == name; });
        if (!recorded) names.push_back(std::move(name));
    }
    std::erase_if(names, [](const std::string& name) {
        return std::find(std::begin(kUnrecorded), std::end(kUnrecorded), name) !=
               std::end(kUnrecorded);
    });
    return names;
}

Result<std::string> record_triggers(Connection& connection) {
    std::set<std::string_view> tables;
    for (const RecordPart& part : kParts) tables.insert(part.table);
    std::string script;
    for (std::string_view table : tables) {
        std::string watched;
        for (const std::string& column : TRY(columns_of(connection, table)))
            if (column != kNotWatched) watched += (watched.empty() ? "" : ", ") + column;
        std::string of_new = call_for(table, "NEW"), of_old = call_for(table, "OLD");
        auto trigger = [&](std::string_view event, std::string_view body) {
            script += fmt::format(
                "CREATE TEMP TRIGGER record_{0}_{1} AFTER {2} ON main.{0} BEGIN {3} END;", table,
                event.substr(0, 6), event, body);
        };
        trigger("INSERT", of_new);
        trigger("UPDATE OF " + watched, of_new);
        trigger("DELETE", of_old);
    }
    return script;
}

}  // namespace tarn::meta
