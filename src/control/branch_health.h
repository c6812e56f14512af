// branch_health.h: what the storage of a branch or snapshot costs, and whether it is whole, for
// those who operate the server.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/core.h"
#include "meta/checks.h"
#include "meta/lineage_owners.h"

namespace tarn::control {

// "projects/p/branches/b", "projects/p/snapshots/s".
std::string owner_name(const meta::LineageOwner& owner);

struct BranchHealth {
    struct Pin {
        Time taken;
        uint64_t bytes = 0;
        std::vector<std::string> by;  // names
        bool by_restart = false;      // of its own, after a crash
    };
    std::optional<compute::HistoryCost> history;  // its pins are those below
    std::vector<Pin> pins;
    // Of the storage that it was made from: what is only kept because of it, and of what was made
    // from the same restore point.
    std::optional<uint64_t> keeps_bytes;
    std::optional<meta::VerificationRow> verification;  // with a time
    std::optional<meta::RestoreCheckRow> restore_check;
};

Result<BranchHealth> health_of(Core& core, const compute::LineageId& lineage);

}  // namespace tarn::control
