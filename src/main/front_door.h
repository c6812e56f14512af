// front_door.h: joins proxy and control plane, which know nothing of each other.
//
// To the proxy it is the backplane: whose address is this, is the password good, wake the compute.
// To the control plane it is the front door: open and close addresses, end sessions, who is in use.
#pragma once

#include <memory>
#include <string>

#include "control/control.h"
#include "proxy/proxy.h"

namespace tarn {

class FrontDoor final : public proxy::Backplane, public control::FrontDoor {
  public:
    FrontDoor(control::Control& control, meta::Meta& meta, const compute::Computes& computes)
        : control_(control), meta_(meta), computes_(computes) {}
    ~FrontDoor() override { stop(); }

    // Starts the proxy and proves that `probe`, an address of endpoints, can be listened on: a
    // listener on all addresses would block every endpoint's, and that is better told now.
    Result<void> start(const proxy::Options& options, const std::string& probe);
    void stop();

    // proxy::Backplane
    Result<std::string> endpoint_at(const std::string& address) override;
    Result<std::string> endpoint_named(const std::string& name) override;
    Result<void> authenticate(const std::string& endpoint, const proxy::Login& login) override;
    void wake(const std::string& endpoint, Awake done) override;

    // control::FrontDoor
    Result<void> open(const std::string& address) override;
    void close(const std::string& endpoint_uid, const std::string& address) override;
    void disconnect(const std::string& endpoint_uid, const Error& why) override;
    control::Activity activity(const std::string& endpoint_uid) const override;

  private:
    control::Control& control_;
    meta::Meta& meta_;
    const compute::Computes& computes_;
    std::unique_ptr<proxy::Proxy> proxy_;  // constant after start()
};

}  // namespace tarn
