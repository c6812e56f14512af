// housekeeper.h: what has to be done as time passes: suspend idle endpoints, restart crashed ones
// that are in use, end branches and snapshots that expire, purge what was deleted long ago, forget
// old operations.
//
// Threads: its own one; run_once() for tests.
#pragma once

#include <thread>

#include "control/branches.h"
#include "control/projects.h"
#include "control/snapshots.h"
#include "control/wakers.h"

namespace tarn::control {

class Housekeeper {
  public:
    Housekeeper(Core& core, Wake& wake, Wakers& wakers, Projects& projects, Branches& branches,
                Snapshots& snapshots)
        : core_(core),
          wake_(wake),
          wakers_(wakers),
          projects_(projects),
          branches_(branches),
          snapshots_(snapshots) {}
    ~Housekeeper() { stop(); }

    void start();
    void stop();

    void run_once();

  private:
    void run(std::stop_token stop);
    void restart_crashed();
    void end_what_is_due();

    Core& core_;
    Wake& wake_;
    Wakers& wakers_;
    Projects& projects_;
    Branches& branches_;
    Snapshots& snapshots_;
    std::jthread thread_;
};

}  // namespace tarn::control
