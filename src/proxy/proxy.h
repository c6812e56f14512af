// proxy.h: the front door: accepts, authenticates, wakes, relays.
//
//   auto proxy = TRY(Proxy::start(options, backplane));
//   TRY(proxy->add_listener("127.64.0.5"));
//
// Threads: any, except that the backplane must not call stop() or destroy the proxy from its calls.
// Fails with: what binding a port and reading a certificate fail with; the text names who holds a
// port and what to do about it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "proxy/activity.h"
#include "proxy/backplane.h"
#include "proxy/options.h"
#include "proxy/stats.h"

namespace tarn::proxy {

class Proxy {
  public:
    // `backplane` must outlive it.
    static Result<std::unique_ptr<Proxy>> start(const Options& options, Backplane& backplane);
    ~Proxy();

    // Ends all sessions (57P01) and closes all listeners. Again is fine.
    void stop();

    // Listens on a local address of one endpoint; answers the port. Again is fine.
    Result<uint16_t> add_listener(const std::string& address);
    // Stops listening; sessions stay. Not there is fine.
    void remove_listener(const std::string& address);
    // The port of network mode's listener; 0 without one.
    uint16_t network_port() const;

    // Ends the endpoint's sessions with `reason` as their last message: 57P01, unless
    // pgwire::with_sqlstate says otherwise. Who is still logging in is told nothing, and gets a
    // session with whatever compute is there next. Returns at once.
    void end_sessions(const std::string& endpoint, const Error& reason);
    // The same, and those who log in are sent away too: the endpoint is not there any more.
    void disconnect(const std::string& endpoint, const Error& reason);

    // None if the endpoint never had a session.
    std::optional<EndpointActivity> activity(const std::string& endpoint) const;
    // Drops the counts of an endpoint that is gone for good.
    void forget(const std::string& endpoint);

    // What clients take as sslrootcert.
    const std::string& ca_file() const;
    const Counters& counters() const;

  private:
    struct Parts;
    explicit Proxy(std::unique_ptr<Parts> parts);

    std::unique_ptr<Parts> parts_;
};

}  // namespace tarn::proxy
