// credentials.h: database credentials: short-lived JWTs that log in to one endpoint as one user.
//
// ES256 with a key that lives in the metadata; the header names the key. Claims: sub (the user),
// endpoint (its uid), iat, exp.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "control/core.h"
#include "control/identity.h"

namespace tarn::control {

struct DatabaseCredential {
    std::string token;
    Time expire_time;
};

struct CredentialRequest {
    std::string endpoint;  // resource name
    std::optional<Span> ttl;
    std::optional<Time> expire_time;
};

// What a token is to whom shows it. How a client is told is the proxy's business.
enum class TokenVerdict { good, invalid, expired, wrong_endpoint, wrong_user };

class Credentials {
  public:
    explicit Credentials(Core& core) : core_(core) {}

    // Reads the signing keys; makes the first one.
    Result<void> open();

    Result<DatabaseCredential> generate(const Identity& caller, const CredentialRequest& request);

    // Whether `token` logs `postgres_user` in to the endpoint now.
    TokenVerdict verify(const std::string& token, std::string_view endpoint_uid,
                        std::string_view postgres_user) const;

  private:
    struct Key {
        std::string private_pem;
        std::string public_pem;
    };

    Result<std::string> sign(const std::string& user, const std::string& endpoint_uid, Time issued,
                             Time expires) const;

    Core& core_;
    std::map<std::string, Key> keys_;  // by kid; constant after open()
    std::string signing_kid_;          // constant after open()
};

// The public half, in PEM, of a private key in PEM.
Result<std::string> public_key_of(const std::string& private_pem);

}  // namespace tarn::control
