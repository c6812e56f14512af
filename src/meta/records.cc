#include "meta/records.h"

#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/crc32c.h"
#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr std::string_view kMagic = "tarn record ";
// In a branch's record: should its project's be lost.
constexpr std::string_view kProjectOf = "project_of";
constexpr std::string_view kWhereProjectOf =
    "uid = (SELECT project_uid FROM branches WHERE uid = ?1)";

std::string hex(std::string_view bytes) {
    std::string text;
    for (char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
}

std::string unhex(std::string_view text) {
    std::string bytes;
    for (size_t i = 0; i + 1 < text.size(); i += 2) {
        unsigned byte = 0;
        std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

Json value_of(Statement& statement) {
    switch (statement.type()) {
        case SQLITE_INTEGER:
            return statement.integer();
        case SQLITE_FLOAT:
            return statement.real();
        case SQLITE_BLOB:
            return Json::object({{"blob", hex(statement.text())}});
        case SQLITE_TEXT:
            return statement.text();
        default:
            (void)statement.maybe_integer();
            return nullptr;
    }
}

Result<Json> rows_of(Connection& connection, std::string_view table, std::string_view where,
                     const std::string& uid) {
    // In a fixed order, so that the same rows are the same bytes.
    auto statement = TRY(
        connection.prepare(fmt::format("SELECT * FROM {} WHERE {} ORDER BY 1, 2", table, where)));
    statement.bind(uid);
    Json rows = Json::array();
    while (TRY(statement.step())) {
        Json row = Json::object();
        for (int i = 0; i < statement.columns(); ++i) {
            std::string name = statement.column_name(i);
            row[name] = value_of(statement);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

Result<int64_t> schema_of(Connection& connection) {
    auto statement = TRY(connection.prepare("PRAGMA user_version"));
    TRY(statement.step());
    return statement.integer();
}

Error damaged(std::string_view why) {
    return error(Code::data_loss, "metadata record: {}", why);
}

Result<void> insert_row(Connection& connection, std::string_view table, const Json& row) {
    if (!row.is_object()) return damaged("a row that is none");
    auto known = TRY(columns_of(connection, table));
    std::string names, places;
    for (const auto& [name, value] : row.items()) {
        if (!known.contains(name))
            return damaged(fmt::format("table {} has no column {}", table, name.substr(0, 64)));
        names += (names.empty() ? "" : ", ") + name;
        places +=
            (places.empty() ? "" : ", ") + std::string(value.is_object() ? "CAST(? AS BLOB)" : "?");
    }
    auto statement = TRY(
        connection.prepare(fmt::format("INSERT INTO {} ({}) VALUES ({})", table, names, places)));
    for (const auto& [name, value] : row.items()) {
        if (value.is_null())
            statement.bind(std::optional<int64_t>());
        else if (value.is_number_float())
            statement.bind(value.get<double>());
        else if (value.is_number_integer())
            statement.bind(value.get<int64_t>());
        else if (value.is_string())
            statement.bind(value.get<std::string>());
        else if (value.is_object() && value.contains("blob") && value["blob"].is_string())
            statement.bind(unhex(value["blob"].get<std::string>()));
        else
            return damaged(fmt::format("column {} of {} holds no value", name, table));
    }
    TRY_CTX(statement.step(), "put back a row of {}", table);
    return {};
}

Result<void> insert_rows(Connection& connection, std::string_view table, const Json& rows) {
    for (const Json& row : rows) TRY(insert_row(connection, table, row));
    return {};
}

// All of what `body` does or nothing of it.
template <class Body>
Result<void> in_savepoint(Connection& connection, Body body) {
    TRY(connection.execute("SAVEPOINT record"));
    auto result = body();
    if (!result.ok()) (void)connection.execute("ROLLBACK TO record");
    TRY(connection.execute("RELEASE record"));
    return result;
}

Json parsed(const Record& record) {
    return Json::parse(record.rows, nullptr, false);  // decode_record() has parsed it
}

// The value in the first row; null if there is none.
Json value_in(const Record& record, std::string_view table, std::string_view column) {
    Json rows = parsed(record);
    auto found = rows.find(table);
    if (found == rows.end() || found->empty() || !found->front().is_object()) return nullptr;
    auto value = found->front().find(column);
    return value == found->front().end() ? Json() : *value;
}

}  // namespace

Result<std::optional<std::string>> encode_record(Session& session, const RecordName& name) {
    Connection& connection = session.connection();
    Json tables = Json::object();
    for (const RecordPart& part : record_parts()) {
        if (part.kind != name.kind) continue;
        Json rows = TRY(rows_of(connection, part.table, part.where, name.uid));
        if (part.table == main_table(name.kind) && rows.empty())
            return std::optional<std::string>();
        tables[std::string(part.table)] = std::move(rows);
    }
    if (name.kind == RecordKind::branch)
        tables[std::string(kProjectOf)] =
            TRY(rows_of(connection, "projects", kWhereProjectOf, name.uid));
    Json document{{"record", name.text()},
                  {"schema", TRY(schema_of(connection))},
                  {"rows", std::move(tables)}};
    std::string body = document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    return std::optional(fmt::format("{}{} {:08x} {}\n{}", kMagic, kVersion,
                                     crc32c(0, body.data(), body.size()), body.size(), body));
}

Result<Record> decode_record(std::string_view bytes) {
    size_t end = bytes.find('\n');
    if (!bytes.starts_with(kMagic) || end == bytes.npos) return damaged("it does not begin as one");
    std::string_view line = bytes.substr(kMagic.size(), end - kMagic.size());
    std::string_view body = bytes.substr(end + 1);
    if (int version = 0;
        std::from_chars(line.data(), line.data() + line.size(), version).ec == std::errc() &&
        version > kVersion)
        return error(Code::bad_request, "metadata record: its version is {}, this program knows {}",
                     version, kVersion)
            .with_hint("run the newer tarn that wrote it");
    if (line !=
        fmt::format("{} {:08x} {}", kVersion, crc32c(0, body.data(), body.size()), body.size()))
        return damaged("its checksum or length is not that of its bytes");
    Json document = Json::parse(body, nullptr, false);
    bool whole = document.is_object() && document.contains("record") &&
                 document["record"].is_string() && document.contains("schema") &&
                 document["schema"].is_number_integer() && document.contains("rows") &&
                 document["rows"].is_object();
    if (!whole) return damaged("it has not the parts of one");
    for (const auto& [table, rows] : document["rows"].items())
        if (!rows.is_array()) return damaged(fmt::format("rows of {} that are none", table));
    auto name = parse_record_name(document["record"].get<std::string>());
    if (!name) return damaged("it does not say whose it is");
    return Record{*name, document["schema"].get<int64_t>(), document["rows"].dump()};
}

Result<void> insert_record(Session& session, const Record& record) {
    Connection& connection = session.connection();
    int64_t schema = TRY(schema_of(connection));
    if (record.schema > schema)
        return error(Code::bad_request, "it is of metadata version {}, this program knows {}",
                     record.schema, schema)
            .with_hint("run the newer tarn that wrote it");
    Json tables = parsed(record);
    return in_savepoint(connection, [&]() -> Result<void> {
        for (const RecordPart& part : record_parts()) {
            auto rows = tables.find(part.table);
            if (part.kind == record.name.kind && rows != tables.end())
                TRY(insert_rows(connection, part.table, *rows));
        }
        return {};
    });
}

Result<void> insert_project_of(Session& session, const Record& record) {
    Json tables = parsed(record);
    auto rows = tables.find(kProjectOf);
    if (rows == tables.end() || rows->empty()) return damaged("it does not hold its project");
    // It may be older: what has been deleted or shortened since can be so again, what went for it
    // would not come back.
    for (Json& row : *rows) {
        row["state"] = "ready";
        for (const char* column : {"delete_time", "purge_time"}) row[column] = nullptr;
        row["history_retention"] = std::chrono::microseconds(std::chrono::days(35)).count();
    }
    Connection& connection = session.connection();
    return in_savepoint(connection, [&] { return insert_rows(connection, "projects", *rows); });
}

std::optional<std::string> text_in(const Record& record, std::string_view table,
                                   std::string_view column) {
    Json value = value_in(record, table, column);
    return value.is_string() ? std::optional(value.get<std::string>()) : std::nullopt;
}

std::optional<int64_t> integer_in(const Record& record, std::string_view table,
                                  std::string_view column) {
    Json value = value_in(record, table, column);
    return value.is_number_integer() ? std::optional(value.get<int64_t>()) : std::nullopt;
}

std::optional<std::string> setting_in(const Record& record, std::string_view key) {
    Json tables = parsed(record);
    auto rows = tables.find("settings");
    if (rows == tables.end()) return std::nullopt;
    for (const Json& row : *rows)
        if (row.is_object() && row.value("key", Json()) == Json(std::string(key)) &&
            row.contains("value") && row["value"].is_string())
            return row["value"].get<std::string>();
    return std::nullopt;
}

size_t count_in(const Record& record, std::string_view table) {
    Json rows = parsed(record);
    auto found = rows.find(table);
    return found == rows.end() ? 0 : found->size();
}

}  // namespace tarn::meta
