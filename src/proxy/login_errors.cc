#include "proxy/login_errors.h"

#include "pgwire/error_response.h"

namespace tarn::proxy {
namespace {

constexpr const char* kMint =
    "generate a new database credential for this endpoint (databricks postgres "
    "generate-database-credential, or POST /api/2.0/postgres/credentials) and use its token as "
    "password";

Error refused(Code code, std::string_view sqlstate, std::string message, std::string hint) {
    return pgwire::with_sqlstate(Error(code, std::move(message)).with_hint(std::move(hint)),
                                 sqlstate);
}

Error not_authorized(std::string hint) {
    return refused(Code::unauthenticated, "28P01", "OAuth: User is not authorized",
                   std::move(hint));
}

}  // namespace

Error unknown_endpoint(const std::string& name) {
    return refused(Code::not_found, "3D000", fmt::format("endpoint \"{}\" does not exist", name),
                   "list the hosts of a branch's endpoints: databricks postgres list-endpoints");
}

Error endpoint_not_named() {
    return refused(Code::invalid_argument, "08004",
                   "the connection does not say to which endpoint it goes",
                   "connect to the endpoint's own host name, or add options=endpoint=<id>");
}

Error bad_password(const std::string& user) {
    return refused(Code::unauthenticated, "28P01",
                   fmt::format("password authentication failed for user \"{}\"", user), kMint);
}

Error expired_token(const std::string& user) {
    return not_authorized(fmt::format("the token of \"{}\" has expired: {}", user, kMint));
}

Error wrong_user(const std::string& user) {
    return not_authorized(
        fmt::format("the token belongs to another identity than \"{}\": connect as "
                    "the user who generated it, or generate one as \"{}\"",
                    user, user));
}

Error wrong_endpoint(const std::string& user) {
    return not_authorized(
        fmt::format("the token of \"{}\" is for another endpoint: {}", user, kMint));
}

Error too_many_connections(const std::string& whose, size_t connections_max) {
    return refused(Code::quota_exceeded, "53300",
                   fmt::format("too many connections: {} takes {}", whose, connections_max),
                   "close idle connections, or use a smaller connection pool");
}

Error cannot_wake(Error reason) {
    Error failed = std::move(reason).context("the endpoint could not be started");
    if (pgwire::has_sqlstate(failed)) return failed;
    // A full disk and a met quota have SQLSTATEs that say so; the rest is "try again".
    if (failed.code() == Code::no_space || failed.code() == Code::quota_exceeded) return failed;
    return pgwire::with_sqlstate(std::move(failed), "57P03");
}

Error compute_lost() {
    return refused(Code::unavailable, "57P02", "the compute of this endpoint ended unexpectedly",
                   "connect again; what was acknowledged is there, what was not may be or not");
}

}  // namespace tarn::proxy
