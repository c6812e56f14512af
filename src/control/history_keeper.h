// history_keeper.h: lets go of the history of branches that their project's retention no longer
// covers.
//
// Threads: its own one, apart from the housekeeper's: removing much takes its time.
#pragma once

#include <thread>

#include "control/core.h"

namespace tarn::control {

class HistoryKeeper {
  public:
    explicit HistoryKeeper(Core& core) : core_(core) {}
    ~HistoryKeeper() { stop(); }

    void start();
    void stop();

    void run_once(const std::stop_token& stop = {});

  private:
    void run(const std::stop_token& stop);

    Core& core_;
    std::jthread thread_;
};

}  // namespace tarn::control
