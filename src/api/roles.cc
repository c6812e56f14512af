#include "api/page.h"
#include "api/resources.h"

namespace tarn::api {

namespace {

using control::Control;

Json json_of(const control::RoleView& view) {
    const meta::RoleRow& row = view.row;
    Json memberships = Json::array();
    if (row.is_superuser) memberships.push_back("DATABRICKS_SUPERUSER");
    return {{"name", control::role_name(view.project_id, view.branch_id, row.id)},
            {"role_id", row.id},
            {"parent", control::branch_name(view.project_id, view.branch_id)},
            {"create_time", rfc3339(row.create_time)},
            {"update_time", rfc3339(row.update_time)},
            {"status",
             {{"role_id", row.id},
              {"postgres_role", row.postgres_role},
              {"identity_type",
               row.identity_type.empty() ? "IDENTITY_TYPE_UNSPECIFIED" : row.identity_type},
              {"auth_method", row.auth_method},
              {"attributes",
               {{"createdb", row.createdb},
                {"createrole", row.createrole},
                {"bypassrls", row.bypassrls}}},
              {"membership_roles", std::move(memberships)}}}};
}

Result<Response> unavailable(const Request&) {
    return error(Code::unimplemented, "changing roles is not available in this version")
        .with_hint("use CREATE ROLE, ALTER ROLE and DROP ROLE in the database");
}

}  // namespace

void add_roles(Router& router, Control& control) {
    std::string collection = fmt::format("{}projects/*/branches/*/roles", kPostgres);
    std::string item = collection + "/*";
    router.add("GET", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        PageRequest wanted = TRY(page_request(request, 1));
        auto page = TRY(control.roles.list(request.captures[0], request.captures[1],
                                           wanted.after[0], wanted.size));
        Json body = {{"roles", Json::array()}};
        for (const auto& view : page.items) body["roles"].push_back(json_of(view));
        if (page.more) body["next_page_token"] = page_token({page.items.back().row.id});
        return answer(std::move(body));
    });
    router.add("GET", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        return answer(json_of(
            TRY(control.roles.get(request.captures[0], request.captures[1], request.captures[2]))));
    });
    // SDKs 0.77 to 0.82 create roles by PATCH on the collection.
    router.add("POST", collection, Access::bearer, unavailable);
    router.add("PATCH", collection, Access::bearer, unavailable);
    router.add("PATCH", item, Access::bearer, unavailable);
    router.add("DELETE", item, Access::bearer, unavailable);
}

}  // namespace tarn::api
