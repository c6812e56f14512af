#include "api/errors.h"

namespace tarn::api {

Response error_response(const Error& error, const std::string& request_id) {
    const CodeInfo& code = info(error.code());
    std::string message = error.text();
    // As the service does; the same id stands in our log.
    if (error.code() == Code::not_found) message += fmt::format(" [TraceId: {}]", request_id);
    Json details = Json::array();
    if (error.reason() == "MANAGED_BY_PARENT")
        details.push_back({{"@type", "type.googleapis.com/google.rpc.ErrorInfo"},
                           {"reason", code.api_code},
                           {"domain", "databricks.com"},
                           {"metadata", {{"declarative_context", "MANAGED_BY_PARENT"}}}});
    details.push_back({{"@type", "type.googleapis.com/google.rpc.RequestInfo"},
                       {"request_id", request_id},
                       {"serving_data", ""}});
    return {.status = code.http_status,
            .body = {{"error_code", code.api_code},
                     {"message", std::move(message)},
                     {"details", std::move(details)}},
            .headers = {}};
}

}  // namespace tarn::api
