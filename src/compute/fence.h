// fence.h: one writer for a lineage (ARCHITECTURE.md, 8).
//
// Every process of a compute holds the lineage's lock file open, by inheritance. Whoever starts a
// new compute kills those that still do, until the lock is free, and only then reads where the WAL
// ends: an orphan can no longer commit after that.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/descriptor.h"

namespace tarn::compute {

std::string lineage_lock_path(const std::string& store_root, uint64_t lineage);

// Does a process, other than this one, hold the lock: does a compute run on the lineage?
bool is_held(const std::string& path);

// Processes, other than this one, that have the file open.
std::vector<pid_t> holders(const std::string& path);

// Takes the lock exclusively, killing whoever is in the way. The descriptor is inherited across
// exec. timed_out when somebody cannot be killed; the process is named.
Result<sys::Descriptor> seize_lock(const std::string& path, std::chrono::milliseconds limit);

// Kills every child of this process (a child subreaper: all descendants end up here) and reaps
// them.
void kill_children();

}  // namespace tarn::compute
