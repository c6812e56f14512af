// spare_keeper.h: a thread that makes spare data directories when nothing urgent is to be done.
//
// Threads: any.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "compute/user.h"
#include "store/lineage.h"

namespace tarn::compute {

class SpareKeeper {
  public:
    // Begins at once. `store` and `user` outlive it.
    SpareKeeper(const store::Store& store, std::string spares, const ComputeUser& user,
                std::vector<int> majors);

    // Some may have been taken: makes new ones once no start has asked for a while.
    void fill_up();

  private:
    void run(const std::stop_token& stop);

    const store::Store& store_;
    const std::string spares_;
    const ComputeUser& user_;
    const std::vector<int> majors_;

    std::mutex mutex_;
    std::condition_variable_any wanted_;
    bool low_ = false;     // guarded by mutex_
    std::jthread thread_;  // last: it ends before the rest goes
};

}  // namespace tarn::compute
