// spawn.h: starts a supervisor, detached from the server.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "compute/user.h"
#include "sys/descriptor.h"

namespace tarn::compute {

struct SpawnedSupervisor {
    pid_t pid = 0;
    sys::Descriptor control;  // connection to it
    off_t log_begin = 0;      // where its lines begin in the log file
};

// In a session of its own, as the compute user, with nothing of the server's open but the control
// connection (descriptor 3) and its log.
Result<SpawnedSupervisor> spawn_supervisor(const std::vector<std::string>& command,
                                           const std::string& log_file, const ComputeUser& user);

}  // namespace tarn::compute
