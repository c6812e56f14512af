#include "api/resources.h"

namespace tarn::api {

// What newer SDKs ask before anything else, without a token.
void add_well_known(Router& router, const ServerInfo& server) {
    router.add("GET", "/.well-known/databricks-config", Access::open,
               [server](const Request& request) -> Result<Response> {
                   // The address by which the client reached us is the one it can reach.
                   const std::string& host =
                       request.host.empty() ? server.http_address : request.host;
                   return answer({{"oidc_endpoint", fmt::format("http://{}/oidc", host)},
                                  {"workspace_id", server.workspace_id},
                                  {"host_type", "workspace"}});
               });
}

}  // namespace tarn::api
