#include "api/resources.h"

namespace tarn::api {

// The older, provisioned product. Tools list its instances next to projects; there are none. One
// asked for by name is refused with a text without "not found", at which tools give up on projects
// too.
void add_database_instances(Router& router) {
    router.add("GET", "/api/2.0/database/instances", Access::bearer, [](const Request&) {
        return Result<Response>(
            answer({{"database_instances", Json::array()}, {"next_page_token", ""}}));
    });
    router.add("GET", "/api/2.0/database/instances/*", Access::bearer,
               [](const Request&) -> Result<Response> {
                   return error(Code::bad_request, "Lakebase Provisioned is not available here");
               });
}

}  // namespace tarn::api
