// records.h: the metadata a second time, in pieces: what the tables say of one project, branch or
// snapshot, as the bytes of a small file (docs/formats/metadata-record.md).
//
// A record holds whole rows by the names of their columns, so that a column that a later migration
// adds is kept from then on without a line of code, and a record from before it can be put back.
#pragma once

#include <compare>
#include <optional>
#include <set>
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

// The bytes of its file. nullopt if there is no such resource.
Result<std::optional<std::string>> encode_record(Session& session, const RecordName& name);
// Of everything that there is.
Result<std::vector<RecordName>> all_records(Session& session);

struct Record {
    RecordName name;
    int64_t schema = 0;  // how many migrations had been applied
    std::string rows;    // JSON: table -> rows
};
// data_loss if it is not what was written; bad_request if a newer program wrote it.
Result<Record> decode_record(std::string_view bytes);

// Puts its rows into a database that has been migrated, all of them or none. already_exists, with
// the table, if a value is taken that may be there only once.
Result<void> insert_record(Session& session, const Record& record);
// The project that a branch's record is of, as that record has it: it may be an older state.
Result<void> insert_project_of(Session& session, const Record& record);
// A text in the first of the record's rows of that table; nullopt if there is none.
std::optional<std::string> text_in(const Record& record, std::string_view table,
                                   std::string_view column);
std::optional<int64_t> integer_in(const Record& record, std::string_view table,
                                  std::string_view column);
// Of the server's record: one of the settings.
std::optional<std::string> setting_in(const Record& record, std::string_view key);
size_t count_in(const Record& record, std::string_view table);

// Tables of the database that no record holds: what is lost with it.
Result<std::vector<std::string>> unrecorded_tables(Session& session);

// SQL that makes every change of a row that a record holds call
// tarn_record_changed(kind, uid) on this connection.
Result<std::string> record_triggers(Connection& connection);

}  // namespace tarn::meta
