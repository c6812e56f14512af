// status.h: `tarn status`: what a running server says about itself.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "base/result.h"

namespace tarn::cli {

struct StatusOptions {
    std::string host;   // of the API; from the environment or the profile if ""
    std::string token;  // likewise
    std::string output = "table";
};

void add_status_options(CLI::App& command, StatusOptions& options);

// Prints it. unavailable if no server answers, with what to try.
Result<void> status(const StatusOptions& options);

}  // namespace tarn::cli
