// operations.h: looking at operations and waiting for their end.
#pragma once

#include <atomic>
#include <string>
#include <variant>
#include <vector>

#include "control/branches.h"
#include "control/endpoints.h"
#include "control/projects.h"
#include "control/snapshots.h"

namespace tarn::control {

struct OperationView {
    meta::OperationRow row;
    OperationKind kind = OperationKind::create_project;
    // What a finished, successful operation left; nothing for a delete, or when it is gone by now.
    std::variant<std::monostate, ProjectView, BranchView, EndpointView, SnapshotView,
                 SnapshotScheduleView>
        result;
};

class Operations {
  public:
    Operations(Core& core, Projects& projects, Branches& branches, Endpoints& endpoints,
               Snapshots& snapshots)
        : core_(core),
          projects_(projects),
          branches_(branches),
          endpoints_(endpoints),
          snapshots_(snapshots) {}

    // The operation `id` of `resource`; waits up to `patience` for it to be done.
    Result<OperationView> get(const std::string& resource, const std::string& id, Span patience);
    Result<OperationView> view(meta::OperationRow row);
    // Those that are not done, of every resource.
    Result<std::vector<meta::OperationRow>> pending();

  private:
    Result<meta::OperationRow> read(const std::string& resource, const std::string& id);

    Core& core_;
    Projects& projects_;
    Branches& branches_;
    Endpoints& endpoints_;
    Snapshots& snapshots_;
    std::atomic<int> waiting_{0};
};

}  // namespace tarn::control
