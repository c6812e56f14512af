// channel.h: the server's end of a connection to one supervisor.
//
// A thread reads what the supervisor says: its state, kept here, and replies, handed to who asked.
//
// Threads: any. Callbacks come from the channel's thread.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "compute/control_protocol.h"
#include "sys/descriptor.h"

namespace tarn::compute {

class Channel {
  public:
    // `closed` is called once, with what it said last, when the supervisor has hung up.
    using Closed = std::function<void(const std::optional<PhaseReport>&)>;
    Channel(sys::Descriptor socket, Closed closed);
    ~Channel();

    static Result<sys::Descriptor> connect(const std::string& path);

    // Sends an order and waits for its answer, or for the supervisor's end (unavailable).
    Result<void> ask(Order order, std::chrono::milliseconds limit);
    // Waits until `enough` says so of the state, or the supervisor has ended.
    void wait(const std::function<bool(const PhaseReport&)>& enough,
              std::chrono::milliseconds limit);
    bool is_closed() const;
    // Hangs up: nobody waits any more, and `closed` is not called. The supervisor goes on.
    void abandon();
    // What the compute is, the supervisor's end considered.
    PhaseReport current() const;

  private:
    void read_lines();
    void handle(const std::string& line);

    sys::Descriptor socket_;
    Closed on_closed_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<PhaseReport> report_;  // nothing before the first line
    std::map<int64_t, Reply> replies_;   // that nobody has taken yet
    int64_t last_id_ = 0;
    bool closed_ = false;
    bool abandoned_ = false;
    std::thread thread_;
};

}  // namespace tarn::compute
