// scrubber.h: reads all lineages again and again, slowly, and writes down which of them are whole.
//
// A lineage is due so long after it was last read, or was met first; with those that are due come
// those that will soon be, so that what branches share is read once for all of them. The one read
// longest ago is first: so a server that is started often gets through as well.
//
// Threads: its own one; the reading is done by others, which take only what nobody else wants.
#pragma once

#include <thread>

#include "control/core.h"
#include "meta/checks.h"

namespace tarn::control {

class Scrubber {
  public:
    explicit Scrubber(Core& core) : core_(core) {}
    ~Scrubber() { stop(); }

    void start();
    void stop();

    // Reads what is due now.
    Result<void> run_once(const std::stop_token& stop = {});

  private:
    void run(const std::stop_token& stop);
    // Those to be read in this round, in this order; forgets those that are gone.
    Result<std::vector<meta::VerificationRow>> due();
    Result<void> verify(compute::VerifyRound& round, meta::VerificationRow row,
                        const std::stop_token& stop);
    Result<std::string> name_of(const compute::LineageId& lineage);

    Core& core_;
    std::jthread thread_;
};

}  // namespace tarn::control
