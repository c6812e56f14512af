// rows.h: how many rows of a table were inserted, deleted and updated between two sides.
//
// Rows are compared as text, by the columns that both sides have with the same name and type, and
// matched by the primary key if both have the same one; without one, a changed row counts as one
// that went and one that came. Only hashes leave the databases (64 bits of a row, 64 of its key).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/block_range.h"
#include "diff/catalog.h"

namespace tarn::diff {

struct Table {
    struct Column {
        std::string name;  // quoted
        std::string type;
        bool operator==(const Column&) const = default;
    };
    uint32_t database = 0;  // its oid
    uint32_t file = 0;
    uint32_t toast_file = 0;  // 0: none
    uint32_t blocks = 0;
    uint32_t toast_blocks = 0;
    std::vector<Column> columns;  // by name
    std::vector<Column> key;      // of the primary key, by name
};

// Tables and materialized views of users, by their quoted names.
Result<std::map<std::string, Table>> read_tables(const Query& query, const std::string& database);

struct RowCounts {
    uint64_t inserted = 0;
    uint64_t deleted = 0;
    uint64_t updated = 0;
    bool by_key = false;
    bool any() const { return inserted + deleted + updated > 0; }
};

// One side of a table: null where it is not, and the blocks in which rows may differ.
struct TableSide {
    const Query& query;
    const Table* table = nullptr;
    std::vector<BlockRange> blocks;
};

Result<RowCounts> count_rows(const std::string& database, const std::string& table,
                             const TableSide& from, const TableSide& to);

}  // namespace tarn::diff
