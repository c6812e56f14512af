// probe.h: talks to a compute's PostgreSQL over its own socket, as the bootstrap superuser.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace tarn::compute {

inline constexpr const char* kBootstrapUser = "cloud_admin";

// Runs `statement` (one or several) and answers the rows of the last one, columns as text. A
// failure of the server carries its SQLSTATE as the error's reason.
Result<std::vector<std::vector<std::string>>> query(const std::string& socket_directory,
                                                    const std::string& database,
                                                    const std::string& statement);

}  // namespace tarn::compute
