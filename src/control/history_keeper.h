// history_keeper.h: takes the snapshots that are due, and lets go of the history of branches that
// their project's retention no longer covers.
//
// Threads: its own one, apart from the housekeeper's: reading and removing much takes its time.
#pragma once

#include <thread>

#include "control/core.h"
#include "control/snapshots.h"

namespace tarn::control {

class HistoryKeeper {
  public:
    HistoryKeeper(Core& core, Snapshots& snapshots) : core_(core), snapshots_(snapshots) {}
    ~HistoryKeeper() { stop(); }

    void start();
    void stop();

    // Answers whether there is more to do at once.
    bool run_once(const std::stop_token& stop = {});

  private:
    void run(const std::stop_token& stop);

    Core& core_;
    Snapshots& snapshots_;
    std::jthread thread_;
};

}  // namespace tarn::control
