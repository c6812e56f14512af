// wake.h: which computes run: started when somebody needs them, suspended when nobody does.
//
// Whether a compute runs is observed (Computes::status), never stored: after a crash of the server
// nothing has to be put right here. Starts, stops and removals of one lineage exclude each other.
//
// Threads: any. wake() blocks while the compute starts.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/core.h"
#include "control/lookup.h"

namespace tarn::control {

class Wake {
  public:
    explicit Wake(Core& core) : core_(core) {}

    // Makes sure that the endpoint's compute runs; concurrent callers share one start, and a start
    // that failed is not tried again for a second: who asks meanwhile gets its error. While it
    // is held it waits, for two minutes at most.
    // not_found if it is gone, bad_request if it is disabled, else what hindered the start.
    Result<compute::ComputeStatus> wake(const std::string& endpoint_uid);

    // While one lives the endpoint does not start; who wakes it waits.
    class Hold {
      public:
        Hold(Wake& wake, std::string endpoint_uid) : wake_(&wake), uid_(std::move(endpoint_uid)) {}
        Hold(Hold&& other) noexcept
            : wake_(std::exchange(other.wake_, nullptr)), uid_(std::move(other.uid_)) {}
        Hold& operator=(Hold&&) = delete;
        ~Hold() {
            if (wake_) wake_->release(uid_);
        }

      private:
        Wake* wake_;
        std::string uid_;
    };
    Hold hold(const std::string& endpoint_uid);

    // The same for a branch that is still being made (reconciler only).
    Result<compute::ComputeStatus> start(const FoundEndpoint& found);
    Result<void> stop(const std::string& lineage, const std::string& endpoint_uid);
    Result<void> remove(const std::string& lineage, const std::string& endpoint_uid);

    // Opens the doors of all endpoints, takes over the computes that outlived an earlier server and
    // ends those that nobody knows.
    Result<void> adopt();
    // Lets clients reach the endpoint, or not any more.
    Result<void> open_door(const meta::EndpointRow& endpoint);
    void close_door(const meta::EndpointRow& endpoint);

    // Suspends what has been idle for its time.
    void suspend_idle();
    // What ended unasked, since the last call, and has clients connected: to be woken for them.
    std::vector<std::string> crashed_in_use();
    // Writes down when endpoints were last used.
    void save_activity();

    // When the endpoint was last needed; nothing if it does not run.
    std::optional<Time> last_active(const std::string& endpoint_uid) const;
    // Why the endpoint's last start failed; nothing if it did not, or was not tried yet.
    std::optional<Error> start_failure(const std::string& endpoint_uid) const;

  private:
    struct Failure {
        Time at;
        Error why;
    };

    Result<void> wait_while_held(const std::string& endpoint_uid);
    bool is_held(const std::string& endpoint_uid) const;
    void release(const std::string& endpoint_uid);
    std::optional<Error> failed_lately(const std::string& endpoint_uid);
    void note_running(const std::string& endpoint_uid);
    void note_exit(const std::string& endpoint_uid);
    void suspend_if_idle(const std::string& endpoint_uid);
    Activity activity(const std::string& endpoint_uid) const;

    Core& core_;
    mutable std::mutex mutex_;
    std::map<std::string, Time> running_;      // under mutex_: endpoint uid -> last wake
    std::vector<std::string> crashed_;         // under mutex_
    std::map<std::string, Failure> failures_;  // under mutex_: of the last start
    std::set<std::string> held_;               // under mutex_
};

compute::ComputeSpec compute_spec(const FoundEndpoint& found);

}  // namespace tarn::control
