// login_errors.h: what a client is told when it cannot log in.
//
// In one place, because tools read these texts: the service's CLI retries a connection unless it
// reads "does not exist" or "authentication failed".
#pragma once

#include <string>

#include "base/result.h"

namespace tarn::proxy {

Error unknown_endpoint(const std::string& name);  // 3D000
Error endpoint_not_named();                       // 08004: neither SNI nor option
Error bad_password(const std::string& user);      // 28P01: neither a token nor a password
Error expired_token(const std::string& user);     // 28P01
Error wrong_user(const std::string& user);        // 28P01: the token is another identity's
Error wrong_endpoint(const std::string& user);    // 28P01: the token is another endpoint's
Error too_many_connections(const std::string& whose, size_t connections_max);  // 53300
// A compute that could not be woken: 57P03, with the reason.
Error cannot_wake(Error reason);
// To a client whose compute ended, killed perhaps, without telling it.
Error compute_lost();

}  // namespace tarn::proxy
