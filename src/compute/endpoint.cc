#include "compute/endpoint.h"

namespace tarn::compute {

namespace {

ComputeState state_of(Phase phase) {
    switch (phase) {
        case Phase::starting:
            return ComputeState::starting;
        case Phase::running:
            return ComputeState::running;
        case Phase::stopping:
            return ComputeState::stopping;
        case Phase::failed:
            return ComputeState::failed;
        case Phase::stopped:
        case Phase::crashed:
            return ComputeState::stopped;
    }
    return ComputeState::stopped;
}

}  // namespace

ComputeStatus Endpoint::status() {
    std::lock_guard held(mutex);
    return status_held();
}

ComputeStatus Endpoint::status_held() const {
    if (!channel) return last;
    auto report = channel->current();
    ComputeStatus answer{state_of(report.phase), report.reason, "", report.since};
    if (report.phase == Phase::running) answer.socket_directory = socket_directory;
    return answer;
}

std::shared_ptr<Channel> Endpoint::current_channel() {
    std::lock_guard held(mutex);
    return channel;
}

void Endpoint::detach() {
    std::shared_ptr<Channel> gone;
    std::lock_guard held(mutex);
    last = status_held();
    gone.swap(channel);
}

}  // namespace tarn::compute
