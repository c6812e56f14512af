// backup.h: takes a backup of a data directory, whether a server runs on it or not.
//
// Crash: what was sent stays sent. A backup that did not end has no manifest, and so is none; the
// next one sends what is missing.
#pragma once

#include <functional>
#include <string>

#include "backup/repository.h"
#include "base/result.h"
#include "compute/user.h"

namespace tarn::backup {

struct BackupProgress {
    size_t file = 0;  // from 1
    size_t files = 0;
    Repository::Sent sent;
};

struct BackupRequest {
    std::string data_directory;
    compute::ComputeUser owner;  // of the store
    std::string version;         // of the program
    std::string replaces;        // an earlier one of the same run: of one hour the last one stays
    std::function<void(const BackupProgress&)> progress;
};

// unavailable if another one of the same data directory is under way.
Result<Manifest> run_backup(Repository& repository, const BackupRequest& request);

}  // namespace tarn::backup
