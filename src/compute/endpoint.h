// endpoint.h: what the server knows of one endpoint's compute: the connection to its supervisor,
// and what that said last when there is none.
//
// Threads: any, each member as it says.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "compute/channel.h"
#include "compute/computes.h"

namespace tarn::compute {

struct Endpoint {
    explicit Endpoint(std::string name) : uid(std::move(name)) {}

    // With `mutex` held.
    bool runs() const { return channel && !channel->is_closed(); }

    // These take `mutex` themselves.
    ComputeStatus status();
    std::shared_ptr<Channel> current_channel();
    // Lets go of the connection, keeping what it said. Waits for its thread, so never with `mutex`
    // held.
    void detach();

    const std::string uid;
    std::mutex busy;  // held by the start, stop or removal that is under way

    std::mutex mutex;                  // guards the rest
    std::shared_ptr<Channel> channel;  // null: nothing runs
    uint64_t lineage = 0;
    std::string socket_directory;
    bool expected_end = false;
    ComputeStatus last;  // what is known while there is no channel
    std::shared_future<Result<ComputeStatus>> starting;
    std::chrono::steady_clock::time_point forced_checkpoint;

  private:
    ComputeStatus status_held() const;
};

}  // namespace tarn::compute
