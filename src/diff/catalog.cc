#include "diff/catalog.h"

#include <algorithm>
#include <array>

#include "diff/catalog_queries.h"
#include "diff/session.h"

namespace tarn::diff {

namespace {

constexpr size_t kColumns = 6;

Result<Catalog> read(const Query& query, const std::string& database, bool of_server) {
    Catalog catalog;
    int rank = -1;
    for (const KindQuery& kind : kind_queries()) {
        ++rank;
        if (kind.of_server != of_server) continue;
        auto rows = TRY_CTX(query(database, session_settings() + std::string(kind.sql)),
                            "look for each {} of database {}", kind.kind, database);
        for (auto& row : rows) {
            if (row.size() != kColumns)
                return error(Code::internal, "the query for each {} has {} columns", kind.kind,
                             row.size());
            catalog[{rank, row[0]}] = {row[1], row[2], row[3], row[4], row[5]};
        }
    }
    return catalog;
}

}  // namespace

std::string_view kind_name(int rank) {
    return kind_queries()[static_cast<size_t>(rank)].kind;
}

bool is_inline(int rank) {
    return kind_queries()[static_cast<size_t>(rank)].is_inline;
}

bool has_parts(int rank) {
    constexpr std::array<std::string_view, 6> kParents = {"type",   "domain", "table",
                                                          "column", "view",   "materialized view"};
    return std::ranges::find(kParents, kind_name(rank)) != kParents.end();
}

Result<Catalog> read_server(const Query& query) {
    return read(query, "postgres", true);
}

Result<Catalog> read_database(const Query& query, const std::string& database) {
    return read(query, database, false);
}

}  // namespace tarn::diff
