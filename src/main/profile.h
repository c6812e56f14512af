// profile.h: the file in which the Databricks tools look up host and token (~/.databrickscfg).
#pragma once

#include <string>

#include "base/result.h"

namespace tarn {

// Nothing if write_profile() can do its work; else what is in the way and what to do. Leaves all as
// it is.
Result<void> check_profile(const std::string& path);
// Puts host and token into the file's DEFAULT profile, leaving other profiles as they are.
Result<void> write_profile(const std::string& path, const std::string& host,
                           const std::string& token);
// The token that the DEFAULT profile has for this host; "" if it has none.
std::string token_in_profile(const std::string& path, const std::string& host);

}  // namespace tarn
