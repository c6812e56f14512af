// check_restore.h: `tarn check-restore`: can a branch be restored to a moment?
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "base/result.h"

namespace tarn::cli {

struct CheckRestoreOptions {
    std::string branch;
    std::string time;   // "": one in its window is drawn
    std::string host;   // of the API; from the environment or the profile if ""
    std::string token;  // likewise
    std::string output = "text";
};

void add_check_restore_options(CLI::App& command, CheckRestoreOptions& options);

// Prints what was found. data_loss if that is not good.
Result<void> check_restore(const CheckRestoreOptions& options);

}  // namespace tarn::cli
