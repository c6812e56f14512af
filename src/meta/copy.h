// copy.h: a consistent copy of a metadata file, beside a server that writes to it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "meta/meta.h"

namespace tarn::meta {

// Puts a copy of the database at `from`, as of one commit, in place of what is at `to`. Not
// durable.
Result<void> copy_database(const std::string& from, const std::string& to);

// data_loss if it is no database, or a damaged one. A file without a byte is a database.
Result<void> check_database(const std::string& path);

// Every lineage that the metadata names: of branches and snapshots, whatever their state.
Result<std::vector<std::string>> named_lineages(Session& session);
// The uid of the project whose branch or snapshot it is.
Result<std::optional<std::string>> project_of_lineage(Session& session, std::string_view lineage);

}  // namespace tarn::meta
