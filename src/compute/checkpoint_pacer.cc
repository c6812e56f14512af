#include "compute/checkpoint_pacer.h"

#include "base/log.h"
#include "shim/protocol.h"

namespace tarn::compute {

void CheckpointPacer::add_descriptor(std::vector<pollfd>& polled) const {
    if (pending_) polled.push_back({pending_->descriptor(), pending_->events(), 0});
}

void CheckpointPacer::stop() {
    pending_.reset();
    deadline_.reset();
}

// Else the shim rings when so much has been written, or the pause's end is waited for.
bool CheckpointPacer::is_due(store::MapHeader& header) {
    constexpr auto kMax = static_cast<uint64_t>(std::chrono::nanoseconds(kReplayMax).count());
    auto& estimate = shim::replay_estimate(header);
    deadline_.reset();
    estimate.ring_at.store(covered_ns_ + kMax);
    if (estimate.total.load() < covered_ns_ + kMax) return false;
    estimate.ring_at.store(0);
    if (!asked_ || Clock::now() >= *asked_ + kPause) return true;
    deadline_ = *asked_ + kPause;
    return false;
}

void CheckpointPacer::step(store::MapHeader& header) {
    if (!pending_) {
        if (!is_due(header)) return;
        asked_ = Clock::now();
        covered_ns_ = shim::replay_estimate(header).total.load();
        pending_.emplace(socket_directory_, "postgres", "CHECKPOINT");
    }
    auto done = pending_->step();
    if (done && !*done) return;
    // It is tried again when as much has been written again.
    if (!done) log::warn("compute: ask for a checkpoint: {}", done.error().text());
    pending_.reset();
    if (is_due(header)) deadline_ = Clock::now();
}

}  // namespace tarn::compute
