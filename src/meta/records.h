// records.h: the metadata a second time, in pieces: what the tables say of one project, branch or
// snapshot, as the bytes of a small file (docs/formats/metadata-record.md).
//
// A record holds whole rows by the names of their columns, so that a column that a later migration
// adds is kept from then on without a line of code, and a record from before it can be put back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "meta/meta.h"
#include "meta/record_parts.h"

namespace tarn::meta {

// The bytes of its file. nullopt if there is no such resource.
Result<std::optional<std::string>> encode_record(Session& session, const RecordName& name);
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

}  // namespace tarn::meta
