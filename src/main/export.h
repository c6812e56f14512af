// export.h: `tarn export`: a branch, as it is or was, as a data directory of stock PostgreSQL.
//
// Reads the server's files, beside the server or without one.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "base/result.h"

namespace tarn {

struct ExportOptions {
    std::string config_file;
    std::string data_directory;
    std::vector<std::string> postgres_directories;
    std::string branch;
    std::string directory;
    std::string moment;  // "": the newest
};

void add_export_options(CLI::App& command, ExportOptions& options);
Result<void> export_branch(const CLI::App& command, const ExportOptions& options);

}  // namespace tarn
