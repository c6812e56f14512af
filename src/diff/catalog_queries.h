// catalog_queries.h: where the objects of each kind are found.
//
// Each query answers name, parent, definition, CREATE, ALTER, DROP. They run with only pg_catalog
// in the search path, so that PostgreSQL writes every other name with its schema.
#pragma once

#include <span>
#include <string_view>

namespace tarn::diff {

struct KindQuery {
    std::string_view kind;
    bool is_inline;  // part of its parent's CREATE
    bool of_server;  // the same in every database
    std::string_view sql;
};

// In an order in which objects may be made, as far as there is one.
std::span<const KindQuery> kind_queries();

}  // namespace tarn::diff
