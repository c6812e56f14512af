// listeners.h: the addresses on which clients are accepted, opened and closed at run time.
//
// Threads: any; the loop calls accept().
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "proxy/connection.h"
#include "sys/poller.h"

namespace tarn::proxy {

class Listeners {
  public:
    explicit Listeners(sys::Poller& poller) : poller_(poller) {}

    // Listens on the address; answers the port (which `port` 0 leaves to the kernel). The same
    // again is fine.
    Result<uint16_t> add(const std::string& host, uint16_t port, bool network);
    // Stops listening; its sessions stay. Not there is fine.
    void remove(const std::string& host);
    void clear();

    // The next client of the listener with this id; none if there is none, or it was removed.
    Result<std::optional<Connection::Origin>> accept(uint64_t id);
    // Out of descriptors: waiting clients stay in the kernel's queue meanwhile.
    void pause();
    Result<void> resume();

  private:
    struct Listener {
        uint64_t id;
        sys::Socket socket;
        bool network;
    };

    sys::Poller& poller_;
    std::mutex mutex_;
    std::map<std::string, Listener> listeners_;   // by host; guarded by mutex_
    std::map<uint64_t, std::string> host_of_id_;  // guarded by mutex_
    uint64_t last_id_ = 0;                        // guarded by mutex_
    bool paused_ = false;                         // guarded by mutex_
};

}  // namespace tarn::proxy
