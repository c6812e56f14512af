// template.h: the lineage that new projects of a major version are copied from.
//
// Stock initdb and a stock single-user session (roles, default database) make a cluster, without
// the shim; its files are imported into the store as a first seal; then the cluster is thrown away.
//
// Crash: a template without a restore point does not count and is made again.
#pragma once

#include <string>

#include "base/result.h"
#include "compute/postgres_install.h"
#include "compute/user.h"
#include "store/lineage.h"

namespace tarn::compute {

// Template lineages have the small numbers; the control plane draws random ones.
constexpr uint64_t template_lineage(int major) {
    return static_cast<uint64_t>(major);
}
constexpr uint64_t kFirstProjectLineage = 1024;

// Makes the template unless it is there; true if it was made now. `scratch` is a directory of the
// compute user's.
Result<bool> ensure_template(store::Store& store, const PostgresInstall& postgres,
                             const ComputeUser& user, const std::string& scratch);

}  // namespace tarn::compute
