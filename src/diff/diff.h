// diff.h: what differs between two running database servers, schema and rows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "diff/rows.h"
#include "diff/schema.h"

namespace tarn::diff {

// What the page store knows of two sides.
struct PageDiff {
    struct File {
        std::vector<Blocks> not_shared;  // by the two sides
        uint64_t changed = 0;            // how many of these have different bytes
    };
    std::map<std::pair<uint32_t, uint32_t>, File> files;  // by oid of the database, and number
    // Do shared blocks show the same rows on both sides?
    bool same_rows_in_shared_blocks = false;
};

struct RelationChange {
    std::string name;                    // "public.people"
    std::optional<Direction> direction;  // nothing: it is on both sides
    uint64_t changed_blocks = 0;         // of its table file
    uint64_t changed_toast_blocks = 0;   // of the file of its long values
    RowCounts rows;
};

struct DatabaseDiff {
    std::string name;
    std::vector<SchemaChange> schema;
    std::vector<RelationChange> relations;
};

struct Diff {
    std::vector<SchemaChange> server;     // roles and databases
    std::vector<DatabaseDiff> databases;  // on both sides, with something changed
};

Result<Diff> compare(const Query& from, const Query& to, const PageDiff& pages);

}  // namespace tarn::diff
