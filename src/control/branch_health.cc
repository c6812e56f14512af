#include "control/branch_health.h"

#include "control/names.h"

namespace tarn::control {

std::string owner_name(const meta::LineageOwner& owner) {
    return owner.is_snapshot ? snapshot_name(owner.project_id, owner.id)
                             : branch_name(owner.project_id, owner.id);
}

namespace {

Result<BranchHealth::Pin> named(meta::Session& session, const compute::HistoryCost::Pin& pin,
                                const compute::LineageId& own) {
    BranchHealth::Pin named;
    named.taken = pin.taken;
    named.bytes = pin.bytes;
    for (const compute::LineageId& lineage : pin.by) {
        if (lineage == own) {
            named.by_restart = true;
            continue;
        }
        auto owner = TRY(meta::owner_of_lineage(session, lineage));
        named.by.push_back(owner
                               ? owner_name(*owner)
                               : fmt::format("lineage {}, of a branch that was deleted", lineage));
    }
    return named;
}

}  // namespace

Result<BranchHealth> health_of(Core& core, const compute::LineageId& lineage) {
    BranchHealth health;
    health.history = core.computes.history(lineage);
    health.keeps_bytes = core.computes.kept_for(lineage);
    return core.meta.read([&](meta::Session& session) -> Result<BranchHealth> {
        if (health.history)
            for (const auto& pin : health.history->pins)
                health.pins.push_back(TRY(named(session, pin, lineage)));
        health.verification = TRY(meta::get_verification(session, lineage));
        health.restore_check = TRY(meta::get_restore_check(session, lineage));
        return health;
    });
}

}  // namespace tarn::control
