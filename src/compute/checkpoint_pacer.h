// checkpoint_pacer.h: asks PostgreSQL for a checkpoint before too much WAL would have to be
// replayed to open a moment of now.
//
// How much is too much is counted in estimated time and not in bytes (ReplayEstimate in
// shim/protocol.h). A compute that writes little is never asked: its own checkpoint_timeout is
// often enough.
//
// Threads: one, the supervisor's.
#pragma once

#include <poll.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "compute/probe.h"
#include "store/page_map.h"

namespace tarn::compute {

class CheckpointPacer {
  public:
    using Clock = std::chrono::steady_clock;

    // Of estimated replay since the last checkpoint that was asked for.
    static constexpr std::chrono::milliseconds kReplayMax{1'500};
    // From one question to the next.
    static constexpr std::chrono::seconds kPause{10};

    explicit CheckpointPacer(std::string socket_directory)
        : socket_directory_(std::move(socket_directory)) {}

    void add_descriptor(std::vector<pollfd>& polled) const;
    // When step() wants to be called again at the latest.
    std::optional<Clock::time_point> deadline() const { return deadline_; }
    // Looks whether a checkpoint is due, or has been answered. While PostgreSQL runs.
    void step(store::MapHeader& header);
    // PostgreSQL is about to end.
    void stop();

  private:
    bool is_due(store::MapHeader& header);

    std::string socket_directory_;
    std::optional<PendingStatement> pending_;
    std::optional<Clock::time_point> deadline_;
    std::optional<Clock::time_point> asked_;
    uint64_t covered_ns_ = 0;  // of the estimate: what the last checkpoint asked for has covered
};

}  // namespace tarn::compute
