// copy.h: a consistent copy of a metadata file, beside a server that writes to it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "meta/meta.h"

namespace tarn::meta {

// Puts a copy of the database at `from`, as of one commit, in place of what is at `to`. Not
// durable.
Result<void> copy_database(const std::string& from, const std::string& to);

// Every lineage that the metadata names: of branches and snapshots, whatever their state.
Result<std::vector<std::string>> named_lineages(Session& session);

}  // namespace tarn::meta
