// spec_fields.h: the fields that branches, snapshots and restores have in common.
#pragma once

#include <optional>

#include "api/fields.h"
#include "control/branch_source.h"
#include "control/expiration.h"

namespace tarn::api {

// `ttl`, `expire_time` or `no_expiry`.
Result<std::optional<control::Expiration>> parse_expiration(const Fields& spec);
// `source_branch`, `source_branch_lsn`, `source_branch_time`, `source_snapshot`.
Result<control::BranchSource> parse_source(const Fields& fields);

}  // namespace tarn::api
