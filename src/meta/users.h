// users.h: who may call: users, service principals and their access tokens (kept as SHA-256 only).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "meta/meta.h"

namespace tarn::meta {

struct UserRow {
    int64_t id = 0;
    std::string user_name;
    std::string display_name;
    std::string kind = "user";  // or "service_principal"
    bool is_admin = false;
    Time create_time;
};

struct TokenRow {
    std::string id;
    int64_t user_id = 0;
    std::string hash;  // 32 bytes
    std::string comment;
    Time create_time;
    std::optional<Time> expire_time;
};

Result<void> insert_user(Session& session, const UserRow& row);
Result<std::optional<UserRow>> get_user(Session& session, std::string_view user_name);
Result<void> insert_token(Session& session, const TokenRow& row);
// The owner of the unexpired token with this hash.
Result<std::optional<UserRow>> user_of_token(Session& session, std::string_view hash, Time now);

}  // namespace tarn::meta
