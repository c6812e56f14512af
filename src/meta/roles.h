#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "meta/meta.h"

namespace tarn::meta {

struct RoleRow {
    std::string branch_uid;
    std::string id;
    std::string postgres_role;
    std::string identity_type;  // "USER", "SERVICE_PRINCIPAL", "GROUP"; "" for a plain role
    std::string auth_method;
    bool createdb = false;
    bool createrole = false;
    bool bypassrls = false;
    bool is_superuser = false;  // member of databricks_superuser
    Time create_time;
    Time update_time;
};

Result<void> insert_role(Session& session, const RoleRow& row);
Result<std::optional<RoleRow>> find_role(Session& session, std::string_view branch_uid,
                                         std::string_view id);
Result<std::vector<RoleRow>> list_roles(Session& session, std::string_view branch_uid);
// A child inherits what its source has.
Result<void> copy_roles(Session& session, std::string_view from_branch, std::string_view to_branch);

}  // namespace tarn::meta
