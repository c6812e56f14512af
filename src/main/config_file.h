// config_file.h: settings from the TOML file of --config.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "base/result.h"

namespace tarn {

// Gives the options of `command`, once it is parsed, the values that the file has for them; what a
// flag or the environment has set stays. Keys are the flags without their dashes. invalid_argument,
// naming file and key.
Result<void> apply_config_file(CLI::App& command, const std::string& path);

}  // namespace tarn
