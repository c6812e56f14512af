#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "meta/meta.h"

namespace tarn::meta {

struct DatabaseRow {
    std::string branch_uid;
    std::string id;
    std::string postgres_database;
    std::string role_id;  // its owner
    Time create_time;
    Time update_time;
};

Result<void> insert_database(Session& session, const DatabaseRow& row);
Result<std::optional<DatabaseRow>> find_database(Session& session, std::string_view branch_uid,
                                                 std::string_view id);
Result<std::vector<DatabaseRow>> list_databases(Session& session, std::string_view branch_uid);
// A child inherits what its source has.
Result<void> copy_databases(Session& session, std::string_view from_branch,
                            std::string_view to_branch);

}  // namespace tarn::meta
