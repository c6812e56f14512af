// record_parts.h: which rows of which tables a record of the metadata holds (records.h), and whose
// record a row is in that changes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "meta/meta.h"

namespace tarn::meta {

// In the order in which they can be put back: each refers to those before.
enum class RecordKind : uint8_t { server, project, branch, snapshot };

struct RecordName {
    RecordKind kind = RecordKind::server;
    std::string uid;  // "" of the server's
    auto operator<=>(const RecordName&) const = default;

    std::string text() const;  // "branch-br-steep-sunset-d1x2y3z4"
};
std::optional<RecordName> parse_record_name(std::string_view text);

// Of everything that there is.
Result<std::vector<RecordName>> all_records(Session& session);

// Which rows of a table a record holds (?1 is its uid), and whose record a changed row is in: SQL
// over the row `@`, which stands for NEW or OLD.
struct RecordPart {
    RecordKind kind;
    std::string_view table;
    std::string_view where;
    std::string_view owner;
};
// In the order in which they can be put back.
std::span<const RecordPart> record_parts();
// The table whose row says that the resource is there.
std::string_view main_table(RecordKind kind);
Result<std::set<std::string>> columns_of(Connection& connection, std::string_view table);

// Tables of the database that no record holds: what is lost with it.
Result<std::vector<std::string>> unrecorded_tables(Session& session);

// SQL that makes every change of a row that a record holds call
// tarn_record_changed(kind, uid) on this connection.
Result<std::string> record_triggers(Connection& connection);

}  // namespace tarn::meta
