// recover_metadata.h: `tarn recover-metadata`: a lost metadata database, made anew of its records
// and of what lies in the store.
//
// Crash: the new database is made beside the place of the old one and gets its name last; until
// then there is none, and the server refuses to begin with an empty one.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace tarn {

struct RecoverMetadataOptions {
    std::string config_file;
    std::string data_directory;
    std::string output;  // "": meta.db of the data directory
    std::string owner;   // of projects for lineages that nobody names; "": the server's admin
    bool attach = false;
    bool json = false;
};

void add_recover_metadata_options(CLI::App& command, RecoverMetadataOptions& options);

// The exit status: that of data_loss if something could not be recovered.
int recover_metadata_command(const CLI::App& command, const RecoverMetadataOptions& options);

}  // namespace tarn
