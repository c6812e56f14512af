// provision.h: the roles and databases that a new project's PostgreSQL gets.
//
// Idempotent: what exists is left or corrected. No role is a superuser.
#pragma once

#include <string>
#include <vector>

#include "compute/computes.h"
#include "meta/databases.h"
#include "meta/roles.h"

namespace tarn::control {

// Makes the roles and their databases on a running endpoint of a new project, out of what the
// template has already.
Result<void> provision(compute::Computes& computes, const std::string& endpoint_uid,
                       const std::vector<meta::RoleRow>& roles,
                       const std::vector<meta::DatabaseRow>& databases);

std::string quote_identifier(std::string_view name);
std::string quote_literal(std::string_view text);

}  // namespace tarn::control
