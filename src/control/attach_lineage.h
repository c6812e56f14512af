// attach_lineage.h: branches for lineages that no metadata names: what can be known of them by the
// store alone.
#pragma once

#include <map>
#include <string>

#include "control/environment.h"
#include "control/metadata_recovery.h"
#include "meta/meta.h"
#include "store/lineage.h"

namespace tarn::control {

class LineageAttacher {
  public:
    // All of them outlive it.
    LineageAttacher(const store::Store& store, const RecoveryRequest& request,
                    const Environment& environment)
        : store_(store), request_(request), environment_(environment) {}

    // Lineages of one cluster are of one project.
    void know(meta::Session& session, const std::string& lineage);
    Result<UnnamedLineage> describe(meta::Session& session, uint64_t lineage);
    // A branch recovered-<lineage>, in the project of its cluster or one made for it, with a
    // primary endpoint at a new address. Answers its name.
    Result<std::string> attach(meta::Session& session, uint64_t lineage,
                               const UnnamedLineage& unnamed);

  private:
    std::string cluster_of(uint64_t lineage) const;
    Result<std::string> make_project(meta::Session& session, const std::string& cluster,
                                     const std::string& branch_uid, int pg_major);
    Result<void> copy_from_default(meta::Session& session, const std::string& project_uid,
                                   const std::string& branch_uid);

    const store::Store& store_;
    const RecoveryRequest& request_;
    const Environment& environment_;
    std::map<std::string, std::string> projects_;  // uid by system identifier
};

}  // namespace tarn::control
