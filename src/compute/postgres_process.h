// postgres_process.h: starts the postmaster of a compute, and reads what it says about itself.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace tarn::compute {

struct PostgresProcess {
    pid_t pid = 0;
    off_t log_begin = 0;  // where its lines begin in the log file
};

struct PostgresLaunch {
    std::vector<std::string> command;
    std::vector<std::string> environment;  // "NAME=value": all of it
    std::string log_file;
    std::vector<int> inherited;  // descriptors it keeps
};

// The process dies with this one: the supervisor must be single-threaded, because the kernel takes
// the end of the starting thread for the end of the parent.
Result<PostgresProcess> launch_postgres(const PostgresLaunch& launch);

// A line of postmaster.pid, counted from 1; empty while PostgreSQL has not written it.
std::string postmaster_line(const std::string& pgdata, int number);

// The status line of postmaster.pid: "starting", "standby", "ready", "stopping"; empty if there is
// none yet.
std::string postmaster_status(const std::string& pgdata);

// Why a process ended, out of its log from `begin` on: the last FATAL or PANIC, or what that refers
// to, without what stands before it; else the last line; empty if there is none. The text and not
// the place, for the log of an endpoint that could not be made goes with it.
std::string last_complaint(const std::string& log_file, off_t begin);

// Keeps logs bounded: a file above the limit becomes `<path>.1`.
void rotate_log(const std::string& path);

}  // namespace tarn::compute
