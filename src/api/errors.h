// errors.h: an Error as the contract's body.
#pragma once

#include <string>

#include "api/http.h"

namespace tarn::api {

// {"error_code", "message", "details"}; the hint becomes part of the message.
Response error_response(const Error& error, const std::string& request_id);

}  // namespace tarn::api
