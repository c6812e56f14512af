// server.h: the HTTP server: sockets, threads and limits around the routes.
//
// Every answer is JSON, errors in the contract's form. A request occupies one thread of a bounded
// pool. Nothing thrown by a library or a handler gets out.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "api/resources.h"
#include "api/router.h"

namespace tarn::api {

class Server {
  public:
    // Takes the port; who connects waits for serve(). Fails when it is taken, naming by whom.
    static Result<std::unique_ptr<Server>> listen(const std::string& host, uint16_t port);
    ~Server();

    // Answers from now on. `control` outlives it, or stop() comes first.
    void serve(control::Control& control, const ServerInfo& info);
    // Lets requests under way end, then closes.
    void stop();
    uint16_t port() const;

  private:
    struct Http;
    explicit Server(std::unique_ptr<Http> http);

    std::unique_ptr<Http> http_;
};

// Every route, for a server or a test without one.
void add_all(Router& router, control::Control& control, const ServerInfo& info);

// From request to answer: route, authenticate, handle. Never fails.
Response handle(const Router& router, control::Control& control, Request request,
                const std::string& authorization);

}  // namespace tarn::api
