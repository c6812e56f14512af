// catalog.h: the schema of a database as named objects with their DDL.
#pragma once

#include <compare>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tarn::diff {

using Rows = std::vector<std::vector<std::string>>;
// Asks one side: a database, and a statement whose last result is the answer.
using Query =
    std::function<Result<Rows>(const std::string& database, const std::string& statement)>;

struct ObjectKey {
    int rank = 0;      // of its kind: the order in which objects may be made
    std::string name;  // "public.people.name"
    auto operator<=>(const ObjectKey&) const = default;
};

struct Object {
    std::string parent;      // the table or type that it is part of and goes with; may be empty
    std::string definition;  // two that are equal here are the same
    std::string create;
    std::string alter;  // what makes another one of this; "" if it has to be made anew
    std::string drop;
};

using Catalog = std::map<ObjectKey, Object>;

std::string_view kind_name(int rank);
// Is it in its parent's CREATE already?
bool is_inline(int rank);
// Can it be a parent?
bool has_parts(int rank);

// Roles and databases.
Result<Catalog> read_server(const Query& query);
// All that docs/operate/diff.md lists, of one database.
Result<Catalog> read_database(const Query& query, const std::string& database);

}  // namespace tarn::diff
