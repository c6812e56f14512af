// run.h: runs a program to its end.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "compute/user.h"

namespace tarn::compute {

struct RunOptions {
    std::vector<std::string> command;           // absolute path first
    std::vector<std::string> environment = {};  // "NAME=value"
    const ComputeUser* user = nullptr;          // null: as this process
    std::string input = {};                     // what it reads from its standard input
};

// What it printed (both streams). internal, with the end of that, unless it exits with 0.
Result<std::string> run(const RunOptions& options);

// For fork and exec: C strings of a list, ended by null. Valid while the list lives.
std::vector<char*> c_strings(const std::vector<std::string>& list);

}  // namespace tarn::compute
