#include "control/identity.h"

#include <openssl/sha.h>

#include "control/uids.h"
#include "meta/settings.h"
#include "meta/users.h"

namespace tarn::control {

namespace {

constexpr size_t kMaxIdentifierBytes = 63;  // PostgreSQL's NAMEDATALEN - 1

std::string sha256(std::string_view text) {
    std::string hash(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           reinterpret_cast<unsigned char*>(hash.data()));
    return hash;
}

// 16 digits without a leading zero: an int64 for clients, and never mistaken for a small number.
std::string draw_workspace_id(const Environment& environment) {
    return fmt::format("{}", 1000000000000000 + environment.random() % 9000000000000000);
}

Result<std::string> issue_token(Core& core, meta::Session& session, int64_t user_id,
                                const std::string& comment) {
    std::string token = "tarn_" + draw_hex(core.environment, 256);
    meta::TokenRow row;
    row.id = draw_uuid(core.environment);
    row.user_id = user_id;
    row.hash = sha256(token);
    row.comment = comment;
    row.create_time = core.now();
    TRY(meta::insert_token(session, row));
    return token;
}

Result<void> check_user_name(const std::string& name) {
    bool fits = !name.empty() && name.size() <= kMaxIdentifierBytes;
    // Names that PostgreSQL or the platform have taken.
    fits = fits && !name.starts_with("pg_") && name != "postgres" && name != "public" &&
           name != "none" && name != "databricks_superuser";
    for (char c : name) fits = fits && c > 0x20 && c < 0x7f && c != '"' && c != '\'' && c != '\\';
    if (!fits)
        return error(
            Code::invalid_argument,
            "'{}' cannot be a user name: it is also a Postgres role, so it has 1 to {} "
            "printable ASCII characters without spaces or quotes, and is none of PostgreSQL's own",
            name, kMaxIdentifierBytes);
    return {};
}

}  // namespace

Result<std::optional<std::string>> Identities::bootstrap(const std::string& admin_user_name) {
    TRY(check_user_name(admin_user_name));
    return core_.meta.write([&](meta::Session& session) -> Result<std::optional<std::string>> {
        if (TRY(meta::get_setting(session, meta::kWorkspaceId)))
            return std::optional<std::string>();
        TRY(meta::set_setting(session, meta::kWorkspaceId, draw_workspace_id(core_.environment)));
        meta::UserRow user;
        user.id = static_cast<int64_t>(core_.environment.random() >> 12);  // exact in a double
        user.user_name = user.display_name = admin_user_name;
        user.is_admin = true;
        user.create_time = core_.now();
        TRY(meta::insert_user(session, user));
        return std::optional(TRY(issue_token(core_, session, user.id, "first start")));
    });
}

Result<std::string> Identities::create_token(const std::string& user_name,
                                             const std::string& comment) {
    return core_.meta.write([&](meta::Session& session) -> Result<std::string> {
        auto user = TRY(meta::get_user(session, user_name));
        if (!user) return error(Code::not_found, "user '{}' not found", user_name);
        return issue_token(core_, session, user->id, comment);
    });
}

Result<Identity> Identities::authenticate(std::string_view token) {
    auto user = TRY(core_.meta.read([&](meta::Session& session) {
        return meta::user_of_token(session, sha256(token), core_.now());
    }));
    if (!user)
        return error(Code::unauthenticated, "Invalid access token.")
            .with_hint("use the token that the first start of the server printed");
    return Identity{.id = user->id,
                    .user_name = user->user_name,
                    .display_name = user->display_name,
                    .is_service_principal = user->kind == "service_principal",
                    .is_admin = user->is_admin};
}

Result<std::string> Identities::workspace_id() {
    auto value = TRY(core_.meta.read(
        [](meta::Session& session) { return meta::get_setting(session, meta::kWorkspaceId); }));
    if (!value) return error(Code::internal, "the metadata has no workspace id");
    return *value;
}

std::string role_id_of(const Identity& identity) {
    if (identity.is_service_principal) return "sp-" + identity.user_name;
    std::string id;
    for (char c : identity.user_name.substr(0, identity.user_name.find('@'))) {
        bool upper = c >= 'A' && c <= 'Z';
        bool kept = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        id += upper ? static_cast<char>(c - 'A' + 'a') : kept ? c : '-';
    }
    return id;
}

}  // namespace tarn::control
