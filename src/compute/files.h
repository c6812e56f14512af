// files.h: what a compute does with scratch directories, beside sys/files.h.
//
// PGDATA, sockets, specs and logs are scratch: they are made anew from the store, so nothing here
// syncs.
#pragma once

#include <string>

#include "base/result.h"
#include "compute/user.h"

namespace tarn::compute {

// Is there anything at `path`, a link that leads nowhere among it?
bool exists(const std::string& path);
// Makes the directory and its parents; one that is there is fine.
Result<void> make_directories(const std::string& path, mode_t mode = 0700);

// Where this process is root: gives `path`, and all in it, to the user.
Result<void> give_away(const std::string& path, const ComputeUser& user);
// The same, to whoever owns `directory`: a server of that user goes on with what root made there.
Result<void> give_to_owner_of(const std::string& directory, const std::string& path);

// Can files in the directory reserve space? The store rests on it: a page that has room cannot fail
// for lack of it later. unavailable, saying what to do, if the file system has no such thing; any
// other hindrance (a full disk) may pass and is met where space is needed.
Result<void> check_allocation(const std::string& directory);

}  // namespace tarn::compute
