// profile.h: the file in which the Databricks tools look up host and token (~/.databrickscfg).
#pragma once

#include <string>

#include "base/result.h"

namespace tarn {

// Puts host and token into the file's DEFAULT profile, leaving other profiles as they are.
Result<void> write_profile(const std::string& path, const std::string& host,
                           const std::string& token);
// Whether the DEFAULT profile names this host and some token.
bool profile_names_host(const std::string& path, const std::string& host);

}  // namespace tarn
