// http.h: a request and a response as handlers see them, without sockets or a library's types.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/identity.h"

namespace tarn::api {

using Json = nlohmann::ordered_json;

struct Request {
    std::string method;
    std::string path;                          // decoded, without the query
    std::vector<std::string> captures;         // what stood where the route has '*'
    std::map<std::string, std::string> query;  // the last value where a name is given twice
    std::string body;
    std::string host;  // as the client called us
    control::Identity caller;

    // The query value; "" if absent.
    const std::string& parameter(const std::string& name) const {
        static const std::string kAbsent;
        auto found = query.find(name);
        return found == query.end() ? kAbsent : found->second;
    }
};

struct Response {
    int status = 200;
    Json body;
    std::map<std::string, std::string> headers;
};

using Handler = std::function<Result<Response>(const Request&)>;

inline Response answer(Json body) {
    return {.status = 200, .body = std::move(body), .headers = {}};
}

}  // namespace tarn::api
