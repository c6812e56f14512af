#include "meta/settings.h"

#include "meta/projects.h"
#include "meta/sqlite.h"

namespace tarn::meta {

Result<bool> is_unused(Session& session) {
    return !TRY(get_setting(session, kWorkspaceId)) && TRY(count_projects(session)) == 0;
}

Result<std::optional<std::string>> get_setting(Session& session, std::string_view key) {
    auto statement = TRY(session.connection().prepare("SELECT value FROM settings WHERE key = ?"));
    statement.bind(key);
    if (!TRY(statement.step())) return std::optional<std::string>();
    return std::optional(statement.text());
}

Result<void> set_setting(Session& session, std::string_view key, std::string_view value) {
    return session.connection().run(
        "INSERT INTO settings (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key, value);
}

}  // namespace tarn::meta
