// files.h: what a compute does with scratch directories, beside sys/files.h.
//
// PGDATA, sockets, specs and logs are scratch: they are made anew from the store, so nothing here
// syncs.
#pragma once

#include <string>

#include "base/result.h"

namespace tarn::compute {

// Is there anything at `path`, a link that leads nowhere among it?
bool exists(const std::string& path);
// Makes the directory and its parents; one that is there is fine.
Result<void> make_directories(const std::string& path, mode_t mode = 0700);

}  // namespace tarn::compute
