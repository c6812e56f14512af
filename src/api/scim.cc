#include "api/resources.h"

namespace tarn::api {

// The current user. Terraform and Python read the workspace's id from the header.
void add_scim(Router& router, const ServerInfo& server) {
    std::string workspace_id = server.workspace_id;
    router.add("GET", "/api/2.0/preview/scim/v2/Me", Access::bearer,
               [workspace_id](const Request& request) -> Result<Response> {
                   const control::Identity& caller = request.caller;
                   Json user = {{"schemas", {"urn:ietf:params:scim:schemas:core:2.0:User"}},
                                {"id", fmt::format("{}", caller.id)},
                                {"userName", caller.user_name},
                                {"displayName", caller.display_name},
                                {"active", true},
                                {"name", {{"givenName", caller.display_name}}},
                                {"groups", Json::array()},
                                {"entitlements", Json::array()}};
                   user["emails"].push_back(
                       {{"value", caller.user_name}, {"primary", true}, {"type", "work"}});
                   if (caller.is_admin)
                       user["groups"].push_back({{"display", "admins"}, {"value", "admins"}});
                   return Response{.status = 200,
                                   .body = std::move(user),
                                   .headers = {{"X-Databricks-Org-Id", workspace_id}}};
               });
}

}  // namespace tarn::api
