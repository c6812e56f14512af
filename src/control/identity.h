// identity.h: who calls: users and their access tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/core.h"

namespace tarn::control {

struct Identity {
    int64_t id = 0;
    std::string user_name;  // also the name of the Postgres role
    std::string display_name;
    bool is_service_principal = false;
    bool is_admin = false;
};

class Identities {
  public:
    explicit Identities(Core& core) : core_(core) {}

    // What the first start makes, in one transaction: workspace id, the administrator, a token.
    // The token, which is not stored and so can never be shown again; nothing if done before.
    Result<std::optional<std::string>> bootstrap(const std::string& admin_user_name);
    // A further token for a user who exists.
    Result<std::string> create_token(const std::string& user_name, const std::string& comment);
    // unauthenticated unless the token is somebody's.
    Result<Identity> authenticate(std::string_view token);
    // The number by which clients know this installation ("X-Databricks-Org-Id").
    Result<std::string> workspace_id();

  private:
    Core& core_;
};

// The id that the role of a user gets: "Jane.Doe@example.com" has "jane-doe".
std::string role_id_of(const Identity& identity);

}  // namespace tarn::control
