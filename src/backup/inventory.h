// inventory.h: which files of a data directory a backup takes, as of one moment.
//
// Invariants
//   Z1  what is listed can be opened at every moment that is kept: records, restore points, what
//       those name, and WAL without a gap, none of it younger than the metadata needs.
//       [BackupTest.EveryMomentOfARunningBranchIsInTheCopy]
//   Z2  while the inventory lives, the history of every lineage in it is held: nothing of it goes
//       but with a lineage that is dropped. [MomentTest.NothingGoesWhileSomebodyHoldsIt]
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "compute/user.h"
#include "store/lineage.h"
#include "sys/descriptor.h"

namespace tarn::backup {

// A file as it is to be in the copy.
struct FileToSave {
    std::string path;                  // below the data directory
    std::vector<std::string> sources;  // where it may lie; the first that is there
    uint64_t data_bytes = 0;           // so much of it; what is missing are zeros
    uint64_t bytes = 0;                // zeros from there on
    uint32_t mode = 0600;
    std::optional<std::string> contents = {};  // instead of a source
};

struct Inventory {
    Time taken;
    std::vector<std::string> directories;
    std::vector<FileToSave> files;
    std::vector<std::string> problems;
    std::vector<sys::Descriptor> held;
};

// `scratch` is a directory for a copy of the metadata. unavailable if a compute was starting all
// the time.
Result<Inventory> take_inventory(const std::string& data_directory, const std::string& scratch,
                                 const compute::ComputeUser& owner);

}  // namespace tarn::backup
