// settings.h: single values of this installation (its workspace id, the address cursor ...).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "meta/meta.h"

namespace tarn::meta {

// Drawn at the first start.
inline constexpr std::string_view kWorkspaceId = "workspace_id";
// Has no server ever used it?
Result<bool> is_unused(Session& session);

Result<std::optional<std::string>> get_setting(Session& session, std::string_view key);
Result<void> set_setting(Session& session, std::string_view key, std::string_view value);

}  // namespace tarn::meta
