// verify.h: `tarn verify`: reads a server's store and says whether it is whole.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace tarn {

struct VerifyOptions {
    std::string config_file;
    std::string data_directory;
    std::vector<std::string> lineages;  // none: all
    bool json = false;
    bool progress = false;
};

void add_verify_options(CLI::App& command, VerifyOptions& options);

// The exit status: 0 if everything was read and is whole, that of data_loss if there is damage, of
// the failure if something could not be looked at.
int verify(const CLI::App& command, const VerifyOptions& options);

}  // namespace tarn
