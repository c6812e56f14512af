// manager_options.h: what a server says of its machine and of how its computes shall be.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/time.h"
#include "compute/disk_space.h"
#include "compute/thinning.h"

namespace tarn::compute {

struct ManagerOptions {
    std::string data_directory;  // absolute
    // Where PostgreSQL may be, in order (see find_postgres).
    std::vector<std::string> postgres_directories;
    std::string shim;  // the page shim's library, absolute
    // The program that becomes a supervisor, and its first arguments; the specification's path is
    // added.
    std::vector<std::string> supervisor_command;
    std::string user;  // that computes run as; only for a server that is root
    std::string shared_buffers = "256MB";
    std::chrono::milliseconds compaction_calm{60'000};  // see Compactor::begin()
    HistoryLimits history;
    DiskLimits disk;
    Span wal_compression_round{
        std::chrono::seconds{15}};  // how often WAL to compress is looked for
};

}  // namespace tarn::compute
