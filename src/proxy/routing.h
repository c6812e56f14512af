// routing.h: to which endpoint a connection goes.
#pragma once

#include <string>
#include <string_view>

#include "proxy/backplane.h"

namespace tarn::proxy {

struct RouteRequest {
    std::string
        address;  // dialled by the client, on a listener of one endpoint; "" in network mode
    std::string server_name;  // SNI
    std::string option;       // of `options=endpoint=<name>`
};

// The uid of the endpoint. In network mode the first label of the server name says it, else the
// option; where several things say it, they must agree. Called on a worker.
Result<std::string> route(Backplane& backplane, const RouteRequest& request,
                          const std::string& domain);

// "ep-1" of "ep-1.db.example.com" in the domain "db.example.com", whatever the case; else "".
std::string label_in_domain(std::string_view server_name, std::string_view domain);

}  // namespace tarn::proxy
