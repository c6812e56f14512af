// spec_writer.h: what a supervisor is told, out of what the control plane wants and what the server
// was started with.
//
// Threads: any.
#pragma once

#include <map>
#include <string>

#include "compute/computes.h"
#include "compute/layout.h"
#include "compute/manager_options.h"
#include "compute/postgres_install.h"
#include "compute/spec.h"
#include "compute/user.h"

namespace tarn::compute {

class SpecWriter {
  public:
    // All of them outlive it.
    SpecWriter(const ManagerOptions& options, const Layout& layout,
               const std::map<int, PostgresInstall>& installs, const ComputeUser& user)
        : options_(options), layout_(layout), installs_(installs), user_(user) {}

    // not_found if PostgreSQL of that major is not installed.
    Result<SuperviseSpec> make(const ComputeSpec& spec, uint64_t lineage) const;
    // Writes it to the endpoint's directory, which is made if it has to be; answers the path.
    Result<std::string> write(const ComputeSpec& spec, uint64_t lineage) const;
    // What was written for an endpoint.
    Result<SuperviseSpec> read(const std::string& endpoint_uid) const;

  private:
    const ManagerOptions& options_;
    const Layout& layout_;
    const std::map<int, PostgresInstall>& installs_;
    const ComputeUser& user_;
};

}  // namespace tarn::compute
