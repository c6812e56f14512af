// serve_options.h: what can be set about `tarn serve`, with the values that it ships with.
//
// Each has a flag, a variable TARN_<FLAG> and a key in the TOML file of --config; the flag wins
// over the variable, the variable over the file.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "base/result.h"

namespace tarn {

struct ServeOptions {
    std::string config_file;     // "": none
    std::string data_directory;  // default_home()/data
    std::string http = "127.0.0.1:8080";
    std::string address_block = "127.64.0.0/10";
    int pg_port = 5432;
    std::string network_address;  // network mode: listen here for endpoints named by SNI; "": off
    std::string network_domain;
    std::string tls_certificate;  // one's own instead of the local CA's
    std::string tls_key;
    std::vector<std::string> postgres_directories;  // searched before the usual places
    std::string compute_user;                       // for a server that is root
    std::string shared_buffers = "256MB";
    std::string history_dense = "3600s";
    double history_budget = 1;
    bool history_packing = true;
    std::string disk_low = "auto";
    std::string disk_critical = "auto";
    std::string scrub_every = "86400s";
    double scrub_rate = 16;  // MiB a second
    std::string restore_check_every = "86400s";
    std::string compaction_calm = "60s";
    std::string admin = "admin@example.com";
    std::string profile_file;  // a databrickscfg to write host and token to
    std::string log_level = "info";
    bool development = false;  // idle times below 60 s, history retention below 2 days
};

// /var/lib/tarn for root, ~/.tarn for others.
std::string default_home();

// Where this program lies.
std::string program_directory();
// Where PostgreSQL is looked for, in order, after the directories of --pg-dir; "{major}" in one
// stands for its number.
std::vector<std::string> postgres_places(const std::vector<std::string>& configured);

// The two by which a command finds a server's files: --config and --data-dir.
void add_data_directory_options(CLI::App& command, std::string& config_file,
                                std::string& data_directory);
// For any command that has them, once it is parsed: the directory that `tarn serve` would use.
Result<std::string> find_data_directory(const CLI::App& command, const std::string& config_file,
                                        const std::string& data_directory);

// The same with all else that the server's file and environment say.
Result<ServeOptions> find_server_options(const CLI::App& command, const std::string& config_file,
                                         const std::string& data_directory);

// Values of a form that cannot work are refused while the command line is parsed.
void add_serve_options(CLI::App& command, ServeOptions& options);

// What `command`, parsed, has put into `options`, and the settings file for the rest. Makes the
// paths absolute; refuses what does not fit together.
Result<ServeOptions> complete(CLI::App& command, ServeOptions& options);

}  // namespace tarn
