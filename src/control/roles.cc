#include "control/roles.h"

#include "control/lookup.h"

namespace tarn::control {

namespace {

using meta::Session;

// One page of rows (in order of id) as views.
template <class View, class Row>
Page<View> page_of(std::vector<Row> rows, const FoundBranch& found, const std::string& after,
                   size_t limit) {
    Page<View> page;
    for (auto& row : rows) {
        if (row.id <= after) continue;
        if (page.items.size() == limit) {
            page.more = true;
            break;
        }
        page.items.push_back({std::move(row), found.project.id, found.branch.id});
    }
    return page;
}

}  // namespace

Result<RoleView> Roles::get(const std::string& project, const std::string& branch,
                            const std::string& id) {
    return core_.meta.read([&](Session& session) -> Result<RoleView> {
        auto found = TRY(live_branch(session, project, branch));
        auto row = TRY(meta::find_role(session, found.branch.uid, id));
        if (!row) return error(Code::not_found, "role not found; role_id:\"{}\"", id);
        return RoleView{*row, found.project.id, found.branch.id};
    });
}

Result<Page<RoleView>> Roles::list(const std::string& project, const std::string& branch,
                                   const std::string& after, size_t limit) {
    return core_.meta.read([&](Session& session) -> Result<Page<RoleView>> {
        auto found = TRY(live_branch(session, project, branch));
        return page_of<RoleView>(TRY(meta::list_roles(session, found.branch.uid)), found, after,
                                 limit);
    });
}

Result<DatabaseView> Databases::get(const std::string& project, const std::string& branch,
                                    const std::string& id) {
    return core_.meta.read([&](Session& session) -> Result<DatabaseView> {
        auto found = TRY(live_branch(session, project, branch));
        auto row = TRY(meta::find_database(session, found.branch.uid, id));
        if (!row) return error(Code::not_found, "database not found; database_id:\"{}\"", id);
        return DatabaseView{*row, found.project.id, found.branch.id};
    });
}

Result<Page<DatabaseView>> Databases::list(const std::string& project, const std::string& branch,
                                           const std::string& after, size_t limit) {
    return core_.meta.read([&](Session& session) -> Result<Page<DatabaseView>> {
        auto found = TRY(live_branch(session, project, branch));
        return page_of<DatabaseView>(TRY(meta::list_databases(session, found.branch.uid)), found,
                                     after, limit);
    });
}

}  // namespace tarn::control
