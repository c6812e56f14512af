// schema.h: what makes one schema of another, as DDL for people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "diff/catalog.h"

namespace tarn::diff {

enum class Direction { added, removed, changed };
std::string_view name(Direction direction);

struct SchemaChange {
    std::string_view kind;
    std::string name;
    Direction direction = Direction::changed;
    std::string ddl;  // one or several statements without the last ';'
};

// In an order in which they may be run, as far as there is one: what goes first, then what comes.
// What is part of a table that comes or goes is not named beside it.
std::vector<SchemaChange> schema_changes(const Catalog& from, const Catalog& to);

}  // namespace tarn::diff
