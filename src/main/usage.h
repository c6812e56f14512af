// usage.h: what to tell about a command line that cannot be run: which word of which command is
// wrong, and the likeliest one that is right.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tarn {

// `failure` is what parsing by `app` has thrown.
Error usage_error(const CLI::App& app, const CLI::ParseError& failure);

// The name that `word` was meant to be; "" if it is like none of them.
std::string likeliest(std::string_view word, const std::vector<std::string>& names);

}  // namespace tarn
