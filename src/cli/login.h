// login.h: which server the command line talks to, and with which token: found as the Databricks
// tools find them.
#pragma once

#include <string>

#include "base/result.h"

namespace tarn::cli {

struct Login {
    std::string host;  // "http://127.0.0.1:8080"
    std::string token;
    // Where they were found, for messages: "--host", "DATABRICKS_HOST", "profile DEFAULT of ...".
    std::string host_from = {};
    std::string token_from = {};
};

// What is given wins over DATABRICKS_HOST and DATABRICKS_TOKEN, those over the profile
// DATABRICKS_CONFIG_PROFILE (DEFAULT) of the file DATABRICKS_CONFIG_FILE (~/.databrickscfg).
// invalid_argument, saying where was looked, if there is no host or no token.
Result<Login> find_login(const std::string& host, const std::string& token);

}  // namespace tarn::cli
