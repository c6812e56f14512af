// log.h: structured log lines on standard error: `time level area message key=value ...`.
//
// An error is logged once, where it is consumed. ERROR means that a person must look.
#pragma once

#include <spdlog/spdlog.h>

namespace tarn::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

// Sets the form and the least level ("debug", "info", "warn", "error") for the whole process.
void init(std::string_view level);

}  // namespace tarn::log
