// diff.h: `tarn diff`: what differs between two branches, or two moments of one.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "base/result.h"

namespace tarn::cli {

struct DiffOptions {
    std::string from;     // "projects/p/branches/b"
    std::string to;       // the same branch if ""
    std::string from_at;  // an RFC 3339 time or an LSN; now if ""
    std::string to_at;
    std::string host;
    std::string token;
    std::string output = "text";
};

void add_diff_options(CLI::App& command, DiffOptions& options);

Result<void> diff(const DiffOptions& options);

}  // namespace tarn::cli
