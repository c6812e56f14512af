#include "control/unnamed.h"

#include "base/log.h"
#include "meta/copy.h"

namespace tarn::control {

Result<void> tell_unnamed(Core& core) {
    auto named = TRY(core.meta.read(meta::named_lineages));
    for (const auto& lineage : TRY(core.computes.unnamed({named.begin(), named.end()})))
        log::warn(
            "control: lineage {} holds data and belongs to no branch or snapshot that the metadata "
            "knows; it stays (hint: docs/operate/recover.md, Storage that no record names)",
            lineage);
    return {};
}

}  // namespace tarn::control
