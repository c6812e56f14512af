// client.h: the REST client of the command line.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

#include "base/result.h"
#include "cli/login.h"

namespace tarn::cli {

class Client {
  public:
    explicit Client(Login login) : login_(std::move(login)) {}

    // The answer's JSON. The server's own error code and text, if it refused; unavailable, with
    // what to look at, if there is no server of ours.
    Result<nlohmann::json> get(const std::string& path) const;
    // Waits so long for the answer.
    Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body,
                                int seconds) const;

  private:
    Login login_;
};

}  // namespace tarn::cli
