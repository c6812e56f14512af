// backup.h: `tarn backup`: to a directory or a bucket and back, beside a server or without one.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

#include "objects/place.h"

namespace tarn {

struct BackupOptions {
    std::string config_file;
    std::string data_directory;
    objects::PlaceOptions place;
    std::string key_file;
    std::string target;        // data directory that a restore makes
    std::string compute_user;  // of that
    std::string id;            // "": the newest
    double every = 0;          // seconds; 0: once
    double keep_days = 0;
    double wait = 300;  // seconds
    bool json = false;
    bool progress = false;
};

// With its subcommands.
void add_backup_options(CLI::App& command, BackupOptions& options);

// The exit status: that of data_loss if something was not what was written.
int backup_command(const CLI::App& command, const BackupOptions& options);

}  // namespace tarn
