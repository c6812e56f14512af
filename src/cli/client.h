// client.h: the REST client of the command line: host and token found as the Databricks tools find
// them.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "base/result.h"

namespace tarn::cli {

struct Login {
    std::string host;  // "http://127.0.0.1:8080"
    std::string token;
};

// What is given wins over DATABRICKS_HOST and DATABRICKS_TOKEN, those over the DEFAULT profile of
// DATABRICKS_CONFIG_FILE (~/.databrickscfg).
Result<Login> find_login(const std::string& host, const std::string& token);

class Client {
  public:
    explicit Client(Login login) : login_(std::move(login)) {}

    // The answer's JSON. The server's own error code and text, if it refused.
    Result<nlohmann::json> get(const std::string& path) const;
    // Waits so long for the answer.
    Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body,
                                int seconds) const;

  private:
    Login login_;
};

}  // namespace tarn::cli
