#include "proxy/routing.h"

#include <algorithm>

#include "pgwire/error_response.h"
#include "proxy/login_errors.h"

namespace tarn::proxy {
namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

Error disagree(const std::string& one, const std::string& other) {
    return pgwire::with_sqlstate(
        error(Code::invalid_argument,
              "the connection goes to endpoint \"{}\" but names endpoint \"{}\"", one, other)
            .with_hint("leave out options=endpoint=, or give it the endpoint of the host"),
        "08004");
}

}  // namespace

std::string label_in_domain(std::string_view server_name, std::string_view domain) {
    size_t dot = server_name.find('.');
    if (domain.empty() || dot == std::string_view::npos || dot == 0) return "";
    if (lower(server_name.substr(dot + 1)) != lower(domain)) return "";
    return lower(server_name.substr(0, dot));
}

Result<std::string> route(Backplane& backplane, const RouteRequest& request,
                          const std::string& domain) {
    std::string endpoint;
    std::string label = label_in_domain(request.server_name, domain);
    if (!request.address.empty())
        endpoint = TRY(backplane.endpoint_at(request.address));
    else if (!label.empty())
        endpoint = TRY(backplane.endpoint_named(label));
    if (request.option.empty())
        return endpoint.empty() ? Result<std::string>(endpoint_not_named()) : endpoint;

    std::string named = TRY(backplane.endpoint_named(request.option));
    if (!endpoint.empty() && named != endpoint) return disagree(endpoint, request.option);
    return named;
}

}  // namespace tarn::proxy
