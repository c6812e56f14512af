// restore.h: makes a data directory of a backup.
//
// Crash: everything is made beside the target, which gets its name last. What a restore has left
// that died the next one removes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backup/repository.h"
#include "base/result.h"
#include "compute/user.h"

namespace tarn::backup {

// What could not be restored.
struct Lost {
    std::string path;
    uint64_t offset = 0;
    uint64_t bytes = 0;  // zeros instead, if the file is there
    bool whole_file = false;
    std::string why;
};

struct RestoreRequest {
    std::string data_directory;  // absent, or empty
    std::string backup;          // "": the newest, if all are of one source
    compute::ComputeUser user;   // whose the store is to be
    std::function<void(size_t file, size_t files)> progress;
};

struct Restored {
    Manifest manifest;
    std::vector<Lost> lost;
};

// An object that is damaged or gone costs what was in it, and nothing else.
Result<Restored> run_restore(Repository& repository, const RestoreRequest& request);

// Reads every object of a backup and writes nothing.
Result<Restored> check_backup(Repository& repository, const std::string& id,
                              const std::function<void(size_t file, size_t files)>& progress);

}  // namespace tarn::backup
