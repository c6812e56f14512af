// front_door.h: what the control plane asks of the proxy, declared here so that neither includes
// the other.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace tarn::control {

struct Activity {
    size_t open_sessions = 0;  // clients connected, idle or not, and those that wait for the start
    // Sessions that a suspend would cost something. While there are any, the endpoint stays up.
    size_t blocking_sessions = 0;
    Time last_active{};  // when the last byte passed; the epoch if never
};

// Called from the control plane's threads; must not block for long.
class FrontDoor {
  public:
    virtual ~FrontDoor() = default;

    // Clients can reach the endpoint at `address` from now on. Again is fine.
    virtual Result<void> open(const std::string& address) = 0;
    // Nobody can any more, and who is connected is told why. Not open is fine.
    virtual void close(const std::string& endpoint_uid, const std::string& address) = 0;
    // Ends the sessions of an endpoint that goes on to exist; who is logging in waits for what is
    // there next.
    virtual void disconnect(const std::string& endpoint_uid, const Error& why) = 0;

    virtual Activity activity(const std::string& endpoint_uid) const = 0;
};

}  // namespace tarn::control
