// settings.h: single values of this installation (its workspace id, the address cursor ...).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "meta/meta.h"

namespace tarn::meta {

Result<std::optional<std::string>> get_setting(Session& session, std::string_view key);
Result<void> set_setting(Session& session, std::string_view key, std::string_view value);

}  // namespace tarn::meta
