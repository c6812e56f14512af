// run.h: runs a program to its end.
#pragma once

#include <string>
#include <string_view>
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

// What it printed (both streams). no_space or internal, with the complaint in that, unless it exits
// with 0.
Result<std::string> run(const RunOptions& options);

// How a program ended, whichever way.
struct ProgramEnd {
    bool good;        // it exited with 0
    std::string how;  // "/bin/x exited with 1"
    std::string output;
};
Result<ProgramEnd> run_to_end(const RunOptions& options);

// The Error of a program that failed with this output: with the first line that is called an error,
// for the others follow from it, else the last.
Error program_error(std::string_view what, std::string_view output);

// For fork and exec: C strings of a list, ended by null. Valid while the list lives.
std::vector<char*> c_strings(const std::vector<std::string>& list);

}  // namespace tarn::compute
