// lookup.h: from resource names to rows. Parents are checked first; what is being purged or deleted
// is not found.
#pragma once

#include <optional>
#include <string_view>

#include "meta/branches.h"
#include "meta/endpoints.h"
#include "meta/projects.h"

namespace tarn::control {

struct FoundBranch {
    meta::ProjectRow project;
    meta::BranchRow branch;
};

struct FoundEndpoint {
    meta::ProjectRow project;
    meta::BranchRow branch;
    meta::EndpointRow endpoint;
};

inline bool is_live(meta::State state) {
    return state == meta::State::creating || state == meta::State::ready;
}

// By id or uid.
Result<meta::ProjectRow> live_project(meta::Session& session, std::string_view project);
Result<FoundBranch> live_branch(meta::Session& session, std::string_view project,
                                std::string_view branch);
// "ep-primary" also means "primary", the id in older documents.
Result<FoundEndpoint> live_endpoint(meta::Session& session, std::string_view project,
                                    std::string_view branch, std::string_view endpoint);
Result<FoundEndpoint> live_endpoint_by_uid(meta::Session& session, std::string_view uid);

// A row that must be there, as long as the operation that works on it is pending.
template <class Row>
Result<Row> present(Result<std::optional<Row>> found, std::string_view what,
                    const std::string& uid) {
    if (!found.ok()) return found.error();
    if (!*found) return error(Code::not_found, "{} {} is gone", what, uid);
    return **found;
}

// The mutations of something that is still being made wait for its creator: 409 ABORTED.
Error conflicting_operation();

}  // namespace tarn::control
