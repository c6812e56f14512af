// diff.h: what differs between two running database servers, schema and rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diff/rows.h"
#include "diff/schema.h"
#include "pg/page_changes.h"

namespace tarn::diff {

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

// `pages`: what the page store knows of the two.
Result<Diff> diff_servers(const Query& from, const Query& to, const pg::PageChanges& pages);

}  // namespace tarn::diff
