#include "api/page.h"
#include "api/resources.h"

namespace tarn::api {

namespace {

using control::Control;

Json json_of(const control::DatabaseView& view) {
    const meta::DatabaseRow& row = view.row;
    return {{"name", control::database_name(view.project_id, view.branch_id, row.id)},
            {"database_id", row.id},
            {"parent", control::branch_name(view.project_id, view.branch_id)},
            {"create_time", rfc3339(row.create_time)},
            {"update_time", rfc3339(row.update_time)},
            {"status",
             {{"database_id", row.id},
              {"postgres_database", row.postgres_database},
              {"role", control::role_name(view.project_id, view.branch_id, row.role_id)}}}};
}

Result<Response> unavailable(const Request&) {
    return error(Code::unimplemented, "changing databases is not available in this version")
        .with_hint("use CREATE DATABASE, ALTER DATABASE and DROP DATABASE");
}

}  // namespace

void add_databases(Router& router, Control& control) {
    std::string collection = fmt::format("{}projects/*/branches/*/databases", kPostgres);
    std::string item = collection + "/*";
    router.add("GET", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        PageRequest wanted = TRY(page_request(request, 1));
        auto page = TRY(control.databases.list(request.captures[0], request.captures[1],
                                               wanted.after[0], wanted.size));
        Json body = {{"databases", Json::array()}};
        for (const auto& view : page.items) body["databases"].push_back(json_of(view));
        if (page.more) body["next_page_token"] = page_token({page.items.back().row.id});
        return answer(std::move(body));
    });
    router.add("GET", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        return answer(json_of(TRY(
            control.databases.get(request.captures[0], request.captures[1], request.captures[2]))));
    });
    router.add("POST", collection, Access::bearer, unavailable);
    router.add("PATCH", item, Access::bearer, unavailable);
    router.add("DELETE", item, Access::bearer, unavailable);
}

}  // namespace tarn::api
