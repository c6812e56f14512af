// inspect.h: `tarn inspect`: any file of the store as a person reads it, and the store as a tree.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

#include "inspect/views.h"

namespace tarn {

struct InspectOptions {
    std::string config_file;
    std::string data_directory;
    std::string what;      // a path, a lineage, or a branch; "": the store
    std::string relation;  // only this file of pages
    std::optional<uint32_t> block;
    uint64_t from = 0;  // slots
    std::optional<uint64_t> to;
    size_t limit = 20;
    bool json = false;
    bool formats = false;
};

void add_inspect_options(CLI::App& command, InspectOptions& options);

// The exit status: that of data_loss if what was looked at is damaged.
int inspect_command(const CLI::App& command, const InspectOptions& options);

}  // namespace tarn
