#include "diff/schema.h"

#include <gtest/gtest.h>

#include "diff/catalog_queries.h"
#include "diff/rows.h"

namespace tarn::diff {
namespace {

int rank_of(std::string_view kind) {
    for (size_t rank = 0; rank < kind_queries().size(); ++rank)
        if (kind_queries()[rank].kind == kind) return static_cast<int>(rank);
    ADD_FAILURE() << "there is no kind " << kind;
    return 0;
}

void add(Catalog& catalog, std::string_view kind, const std::string& name,
         const std::string& definition, const std::string& parent = "",
         const std::string& alter = "") {
    catalog[{rank_of(kind), name}] = {parent, definition, "CREATE " + name, alter, "DROP " + name};
}

std::vector<std::string> lines(const Catalog& from, const Catalog& to) {
    std::vector<std::string> lines;
    for (const SchemaChange& change : schema_changes(from, to))
        lines.push_back(fmt::format("{} {}: {}", name(change.direction), change.kind, change.ddl));
    return lines;
}

using Lines = std::vector<std::string>;

TEST(Schema, EqualOnesHaveNoDifference) {
    Catalog catalog;
    add(catalog, "table", "t", "r");
    add(catalog, "column", "t.a", "integer", "t");
    EXPECT_EQ(lines(catalog, catalog), Lines{});
    EXPECT_EQ(lines({}, {}), Lines{});
}

TEST(Schema, WhatGoesComesFirstAndInReverse) {
    Catalog from;
    Catalog to;
    add(from, "type", "kind", "enum");
    add(from, "view", "v", "SELECT 1");
    add(to, "schema", "s", "me");
    add(to, "function", "f()", "body");
    EXPECT_EQ(lines(from, to), (Lines{"removed view: DROP v", "removed type: DROP kind",
                                      "added schema: CREATE s", "added function: CREATE f()"}));
}

TEST(Schema, PartsOfATableThatGoesOrComesAreNotNamedBesideIt) {
    Catalog with;
    add(with, "table", "t", "r");
    add(with, "column", "t.a", "integer", "t");
    add(with, "constraint", "t.t_pkey", "PRIMARY KEY (a)", "t");
    EXPECT_EQ(lines(with, {}), Lines{"removed table: DROP t"});
    // A constraint is not in CREATE TABLE, a column is.
    EXPECT_EQ(lines({}, with),
              (Lines{"added table: CREATE t", "added constraint: CREATE t.t_pkey"}));
}

TEST(Schema, WhatCannotBeAlteredIsMadeAnewWithAllThatIsPartOfIt) {
    Catalog from;
    Catalog to;
    add(from, "column", "t.a", "integer", "t", "ALTER t.a TYPE integer");
    add(to, "column", "t.a", "bigint", "t", "ALTER t.a TYPE bigint");
    add(from, "materialized view", "m", "SELECT 1");
    add(to, "materialized view", "m", "SELECT 2");
    add(from, "index", "m_a", "(a)", "m");
    add(to, "index", "m_a", "(a)", "m");
    EXPECT_EQ(lines(from, to),
              (Lines{"changed column: ALTER t.a TYPE bigint",
                     "changed materialized view: DROP m;\nCREATE m", "added index: CREATE m_a"}));
}

// ---- rows --------------------------------------------------------------------------------------

// Answers what a table holds, whatever blocks are asked for.
Query answering(Rows rows) {
    return [rows = std::move(rows)](const std::string&, const std::string&) -> Result<Rows> {
        return rows;
    };
}

Table keyed() {
    Table table;
    table.columns = {{"a", "integer"}, {"b", "text"}};
    table.key = {{"a", "integer"}};
    return table;
}

std::string counted(const Table& from, const Rows& before, const Table& to, const Rows& after) {
    Query query = answering(before);
    Query other = answering(after);
    auto counts = count_rows("db", "t", {query, &from, {{0, 1}}}, {other, &to, {{0, 1}}});
    if (!counts.ok()) return counts.error().message();
    return fmt::format("+{} -{} ~{}", counts->inserted, counts->deleted, counts->updated);
}

TEST(CountRows, KeysTellUpdatesFromRowsThatCameAndWent) {
    EXPECT_EQ(counted(keyed(), {{"1", "10"}, {"2", "20"}, {"3", "30"}}, keyed(),
                      {{"4", "40"}, {"2", "20"}, {"3", "31"}}),
              "+1 -1 ~1");
    EXPECT_EQ(counted(keyed(), {}, keyed(), {{"-9223372036854775808", "1"}}), "+1 -0 ~0");
}

TEST(CountRows, WithoutAKeyEveryCopyOfARowCounts) {
    Table plain = keyed();
    plain.key.clear();
    EXPECT_EQ(counted(plain, {{"7", "7"}, {"7", "7"}, {"8", "8"}}, plain, {{"7", "7"}, {"9", "9"}}),
              "+1 -2 ~0");
    EXPECT_EQ(counted(plain, {{"7", "7"}}, keyed(), {{"7", "7"}, {"7", "7"}}), "+1 -0 ~0");
}

TEST(CountRows, AnAnswerThatIsNoNumberIsAnError) {
    EXPECT_EQ(counted(keyed(), {{"x", "1"}}, keyed(), {}),
              "compare the rows of t: PostgreSQL answers 'x' instead of a number");
}

}  // namespace
}  // namespace tarn::diff
