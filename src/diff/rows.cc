#include "diff/rows.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/number.h"
#include "diff/session.h"

namespace tarn::diff {

namespace {

// What one statement reads, and what is held in memory of both sides at a time.
constexpr uint32_t kBlocksOfQuery = 4096;
constexpr size_t kRangesOfQuery = 200;
constexpr uint32_t kBlocksOfPass = 131072;

struct HashedRow {
    int64_t key = 0;
    int64_t row = 0;
    auto operator<=>(const HashedRow&) const = default;
};

template <class T>
Result<T> number(const std::string& text) {
    auto value = parse_number<T>(text);
    if (!value) return error(Code::internal, "PostgreSQL answers '{}' instead of a number", text);
    return *value;
}

std::string record(const std::vector<Table::Column>& columns) {
    std::vector<std::string> names;
    for (const auto& column : columns) names.push_back("t." + column.name);
    return fmt::format("hashtextextended(ROW({})::text, 0)", fmt::join(names, ", "));
}

std::vector<Table::Column> shared_columns(const Table& one, const Table& other) {
    std::vector<Table::Column> shared;
    for (const auto& column : one.columns)
        if (std::ranges::find(other.columns, column) != other.columns.end())
            shared.push_back(column);
    return shared;
}

// Cut so that each piece is one statement's.
std::vector<std::vector<BlockRange>> portions(const std::vector<BlockRange>& ranges) {
    std::vector<std::vector<BlockRange>> all;
    uint32_t left = 0;
    for (BlockRange range : ranges)
        while (range.begin < range.end) {
            if (left == 0 || all.back().size() == kRangesOfQuery) {
                all.emplace_back();
                left = kBlocksOfQuery;
            }
            uint32_t taken = std::min(left, range.end - range.begin);
            all.back().push_back({range.begin, range.begin + taken});
            range.begin += taken;
            left -= taken;
        }
    return all;
}

uint64_t count(const std::vector<BlockRange>& ranges) {
    uint64_t blocks = 0;
    for (const BlockRange& range : ranges) blocks += range.end - range.begin;
    return blocks;
}

// How rows are told apart in both sides.
struct Hashing {
    std::string key;  // expressions over t
    std::string row;
    uint64_t passes = 1;
};

std::string statement(const std::string& table, const std::vector<BlockRange>& portion,
                      const Hashing& hashing, uint64_t pass) {
    std::vector<std::string> parts;
    for (const BlockRange& range : portion)
        parts.push_back(fmt::format(
            "SELECT {} AS k, {} AS r FROM ONLY {} t WHERE t.ctid >= '({},0)' AND t.ctid "
            "< '({},0)'",
            hashing.key, hashing.row, table, range.begin, range.end));
    std::string all = fmt::format("{}", fmt::join(parts, " UNION ALL "));
    if (hashing.passes == 1) return all;
    return fmt::format(
        "SELECT k, r FROM ({}) h WHERE mod(k::numeric + 9223372036854775808, {}) = {}", all,
        hashing.passes, pass);
}

Result<std::vector<HashedRow>> hashed_rows(const std::string& database, const std::string& table,
                                           const TableSide& side, const Hashing& hashing,
                                           uint64_t pass) {
    std::vector<HashedRow> rows;
    for (const auto& portion : portions(side.blocks))
        for (const auto& row : TRY(side.query(
                 database, session_settings() + statement(table, portion, hashing, pass))))
            rows.push_back({TRY(number<int64_t>(row.at(0))), TRY(number<int64_t>(row.at(1)))});
    std::sort(rows.begin(), rows.end());
    return rows;
}

void add_counts(RowCounts& counts, const std::vector<HashedRow>& from,
                const std::vector<HashedRow>& to) {
    auto before = from.begin();
    auto after = to.begin();
    while (before != from.end() || after != to.end()) {
        if (after == to.end() || (before != from.end() && before->key < after->key)) {
            ++counts.deleted, ++before;
        } else if (before == from.end() || after->key < before->key) {
            ++counts.inserted, ++after;
        } else {
            if (before->row != after->row) ++counts.updated;
            ++before, ++after;
        }
    }
}

}  // namespace

Result<std::map<std::string, Table>> read_tables(const Query& query, const std::string& database) {
    std::map<std::string, Table> tables;
    auto found = TRY(query(
        database,
        session_settings() +
            "SELECT format('%I.%I', n.nspname, c.relname), d.oid, pg_relation_filenode(c.oid), "
            "coalesce(pg_relation_filenode(nullif(c.reltoastrelid, 0)), 0), "
            "pg_relation_size(c.oid) / 8192, "
            "coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)) / 8192, 0) "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_database d WHERE "
            "d.datname = current_database() AND c.relkind IN ('r', 'm') AND c.relpersistence = 'p' "
            "AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"));
    for (const auto& row : found) {
        Table& table = tables[row.at(0)];
        table.database = TRY(number<uint32_t>(row.at(1)));
        table.file = TRY(number<uint32_t>(row.at(2)));
        table.toast_file = TRY(number<uint32_t>(row.at(3)));
        table.blocks = TRY(number<uint32_t>(row.at(4)));
        table.toast_blocks = TRY(number<uint32_t>(row.at(5)));
    }
    auto columns = TRY(query(
        database,
        session_settings() +
            "SELECT format('%I.%I', n.nspname, c.relname), format('%I', a.attname), "
            "format_type(a.atttypid, a.atttypmod), coalesce(a.attnum = ANY (i.indkey), false) FROM "
            "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON "
            "a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v' "
            "LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary AND i.indisvalid WHERE "
            "c.relkind IN ('r', 'm') ORDER BY 1, 2"));
    for (const auto& row : columns) {
        auto table = tables.find(row.at(0));
        if (table == tables.end()) continue;
        Table::Column column{row.at(1), row.at(2)};
        table->second.columns.push_back(column);
        if (row.at(3) == "t") table->second.key.push_back(column);
    }
    return tables;
}

Result<RowCounts> count_rows(const std::string& database, const std::string& table,
                             const TableSide& from, const TableSide& to) {
    RowCounts counts;
    Hashing hashing;
    const Table& any = from.table ? *from.table : *to.table;
    const Table& other = to.table ? *to.table : any;
    auto columns = shared_columns(any, other);
    counts.by_key = !any.key.empty() && any.key == other.key;
    hashing.row = record(columns);
    hashing.key = counts.by_key ? record(any.key) : hashing.row;
    hashing.passes = 1 + std::max(count(from.blocks), count(to.blocks)) / kBlocksOfPass;
    for (uint64_t pass = 0; pass < hashing.passes; ++pass) {
        auto before = TRY_CTX(hashed_rows(database, table, from, hashing, pass),
                              "compare the rows of {}", table);
        auto after = TRY_CTX(hashed_rows(database, table, to, hashing, pass),
                             "compare the rows of {}", table);
        add_counts(counts, before, after);
    }
    return counts;
}

}  // namespace tarn::diff
