// loop.h: the one thread that owns all connections.
//
// A round: wait for readiness, letters or the next deadline; accept; let each connection that has
// something to do run; close those that are done. A busy connection gives way after some buffers.
//
// Threads: run() by its own; shut_down() and stop() by any.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "proxy/connection.h"
#include "proxy/listeners.h"

namespace tarn::proxy {

class Loop {
  public:
    Loop(Shared& shared, Listeners& listeners, size_t connections_max)
        : shared_(shared), listeners_(listeners), connections_max_(connections_max) {}

    void run();
    enum class Whom : uint8_t {
        sessions,     // of the endpoint, but not who is logging in
        connections,  // of the endpoint
        everybody
    };
    struct ShutDown {
        Whom whom;
        std::string endpoint;
        Error reason;  // their last message
    };
    void shut_down(ShutDown request);
    // Makes run() return, after a last message to everybody.
    void stop();

  private:
    int wait_ms() const;
    void dispatch(const sys::Ready& ready);
    void accept(uint64_t listener);
    void open(Connection::Origin origin);
    void take_mail();
    void take_requests();
    void expire();
    void give_turns();
    // Runs the connection, and notes what it wants next.
    void attend(Connection& connection, uint64_t id);

    struct Entry {
        std::unique_ptr<Connection> connection;
        std::optional<Elapsed> scheduled;  // as in deadlines_
    };

    Shared& shared_;
    Listeners& listeners_;
    const size_t connections_max_;
    std::unordered_map<uint64_t, Entry> connections_;
    std::set<std::pair<Elapsed, uint64_t>> deadlines_;
    std::vector<uint64_t> turns_;  // those that gave way
    uint64_t last_id_ = 0;
    std::optional<Elapsed> accept_again_;  // descriptors ran out: when to try again

    std::mutex mutex_;
    std::vector<ShutDown> requests_;  // guarded by mutex_
    std::atomic<bool> stopping_ = false;
};

}  // namespace tarn::proxy
