// names.h: resource names ("projects/p/branches/b/endpoints/e") and what an id may look like.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn::control {

enum class ResourceKind : uint8_t {
    project,
    branch,
    endpoint,
    role,
    database,
    snapshot,
    snapshot_schedule
};

// A parsed name; parts that its kind does not have are empty. Ids may also be uids.
struct ResourceName {
    ResourceKind kind = ResourceKind::project;
    std::string project;
    std::string branch;
    std::string leaf;  // endpoint, role, database or snapshot
};

std::string project_name(std::string_view project);
std::string branch_name(std::string_view project, std::string_view branch);
std::string endpoint_name(std::string_view project, std::string_view branch,
                          std::string_view endpoint);
std::string role_name(std::string_view project, std::string_view branch, std::string_view role);
std::string database_name(std::string_view project, std::string_view branch,
                          std::string_view database);

std::string snapshot_name(std::string_view project, std::string_view snapshot);
std::string snapshot_schedule_name(std::string_view project, std::string_view branch);

// The name in request field `field`, which must be of the kind asked for.
Result<ResourceName> parse_name(std::string_view field, std::string_view text, ResourceKind kind);

// Whether a new resource may have this id: 1 to 63 of a-z, 0-9 and '-', beginning with a letter and
// not ending in '-'.
Result<void> check_id(std::string_view field, std::string_view id);

}  // namespace tarn::control
