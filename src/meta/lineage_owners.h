// lineage_owners.h: which branch or snapshot has a lineage as its storage.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "meta/meta.h"
#include "meta/state.h"

namespace tarn::meta {

struct LineageOwner {
    std::string project_id;
    std::string id;  // of the branch or snapshot
    bool is_snapshot = false;
    State state = State::creating;
};

Result<std::optional<LineageOwner>> owner_of_lineage(Session& session, std::string_view lineage);
// Of every lineage that has one, whatever its state.
Result<std::map<std::string, LineageOwner>> all_lineage_owners(Session& session);

}  // namespace tarn::meta
