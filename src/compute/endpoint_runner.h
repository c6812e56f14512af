// endpoint_runner.h: starts and stops the computes of endpoints, removes them, and finds those that
// an earlier server has left. The work in a start is its supervisor's (supervisor.h).
//
// Threads: any; calls for one endpoint queue up, others run side by side.
#pragma once

#include <string>
#include <vector>

#include "compute/endpoints.h"
#include "compute/spare_keeper.h"
#include "compute/spec_writer.h"

namespace tarn::compute {

class EndpointRunner {
  public:
    // All of them outlive it.
    EndpointRunner(Endpoints& endpoints, const SpecWriter& specs, const ManagerOptions& options,
                   const Layout& layout, const ComputeUser& user, SpareKeeper& spares)
        : endpoints_(endpoints),
          specs_(specs),
          options_(options),
          layout_(layout),
          user_(user),
          spares_(spares) {}

    // All as Computes has it.
    Result<ComputeStatus> start(const ComputeSpec& spec);
    Result<void> stop(const std::string& endpoint_uid);
    Result<void> remove(const std::string& endpoint_uid);
    Result<void> adopt(const std::vector<ComputeSpec>& known);

  private:
    Result<ComputeStatus> start_locked(const std::shared_ptr<Endpoint>& endpoint,
                                       const ComputeSpec& spec);
    Result<ComputeStatus> spawn(const std::shared_ptr<Endpoint>& endpoint,
                                const std::string& spec_path);
    Result<void> stop_locked(Endpoint& endpoint, Order how);
    Result<void> end_orphans(const std::string& endpoint_uid, uint64_t lineage);
    void adopt_one(const std::string& uid, bool known);

    Endpoints& endpoints_;
    const SpecWriter& specs_;
    const ManagerOptions& options_;
    const Layout& layout_;
    const ComputeUser& user_;
    SpareKeeper& spares_;
};

}  // namespace tarn::compute
