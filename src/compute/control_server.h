// control_server.h: the supervisor's end of its control socket. Single-threaded: the supervisor's
// event loop polls its descriptors and hands what is ready back.
#pragma once

#include <poll.h>

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "compute/control_protocol.h"
#include "sys/descriptor.h"

namespace tarn::compute {

class ControlServer {
  public:
    // Listens at `path`. `inherited` is the connection of the server that started this process, or
    // -1.
    static Result<ControlServer> open(const std::string& path, int inherited);

    void add_descriptors(std::vector<pollfd>& polled) const;
    struct Incoming {
        int client;
        Request request;
    };
    // Accepts, reads, drops who hung up. `greeting` goes to new clients.
    std::vector<Incoming> handle(const std::vector<pollfd>& polled, const std::string& greeting);
    void send(int client, const std::string& line);
    void broadcast(const std::string& line);

  private:
    void read_client(int client, std::vector<Incoming>& incoming);

    struct Client {
        sys::Descriptor fd;
        std::string buffer;
    };
    sys::Descriptor listener_;
    std::map<int, Client> clients_;  // by descriptor
};

}  // namespace tarn::compute
