// front_door.h: joins proxy and control plane, which know nothing of each other.
//
// As a backplane it answers the proxy's questions; as an activity source it tells the control plane
// which endpoints are in use; and it keeps the proxy listening on the address of every endpoint
// there is.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "control/control.h"
#include "proxy/proxy.h"

namespace tarn {

class FrontDoor final : public proxy::Backplane, public control::ActivitySource {
  public:
    FrontDoor(control::Control& control, meta::Meta& meta, const compute::Computes& computes)
        : control_(control), meta_(meta), computes_(computes) {}
    ~FrontDoor() override { stop(); }

    // Starts the proxy and listens for all endpoints. Fails if a port is taken, naming the holder.
    Result<void> start(const proxy::Options& options, const std::string& address_block);
    void stop();

    const proxy::Proxy& proxy() const { return *proxy_; }

    Result<std::string> endpoint_at(const std::string& address) override;
    Result<std::string> endpoint_named(const std::string& name) override;
    Result<void> authenticate(const std::string& endpoint, const proxy::Login& login) override;
    void wake(const std::string& endpoint, Awake done) override;

    control::Activity activity(const std::string& endpoint_uid) const override;

  private:
    struct Wanted {
        std::string endpoint;
        Awake done;
    };

    Result<void> listen_for_all();
    void follow_endpoints(std::stop_token stop);
    void wake_waiting(std::stop_token stop);

    control::Control& control_;
    meta::Meta& meta_;
    const compute::Computes& computes_;
    std::unique_ptr<proxy::Proxy> proxy_;
    std::set<std::string> addresses_;  // follower's own; before it starts, start()'s

    std::mutex mutex_;
    std::condition_variable_any wanted_;
    std::deque<Wanted> queue_;  // under mutex_; bounded by the proxy's connections_max
    std::vector<std::jthread> threads_;
};

}  // namespace tarn
