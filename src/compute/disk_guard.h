// disk_guard.h: keeps a compute from filling the disk: while there is too little room for its WAL
// (disk_space.h) its transactions only read, and go on writing by themselves when there is more.
//
// PostgreSQL reads the setting from a file that is included last. It is made before PostgreSQL is
// started, under another name: a rename needs no room.
//
// Threads: one, the supervisor's.
#pragma once

#include <poll.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "compute/disk_space.h"
#include "compute/probe.h"
#include "compute/spec.h"

namespace tarn::compute {

class DiskGuard {
  public:
    using Clock = std::chrono::steady_clock;

    explicit DiskGuard(const SuperviseSpec& spec);

    // Before PostgreSQL is started.
    Result<void> prepare();
    // While PostgreSQL runs, as soon as deadline() says. True if PostgreSQL is to read its
    // configuration again.
    bool step();
    std::optional<Clock::time_point> deadline() const { return deadline_; }
    void add_descriptor(std::vector<pollfd>& polled) const;
    // PostgreSQL is about to end.
    void stop();

    // Why nothing can be written; empty while it can.
    std::string reason() const;

  private:
    bool turn();
    void ask(const char* statement);
    void go_on_asking();

    DiskWatch watch_;
    const std::string on_, off_;  // names of the file
    const std::string socket_directory_;
    DiskSpace space_;
    bool reads_only_ = false;
    std::optional<Clock::time_point> deadline_;
    std::optional<PendingStatement> pending_;
};

}  // namespace tarn::compute
