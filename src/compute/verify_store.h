// verify_store.h: verifies the lineages of a store, one after the other, and looks for what nothing
// names.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "compute/verify_findings.h"
#include "store/lineage.h"
#include "store/orphans.h"
#include "store/verify.h"

namespace tarn::compute {

struct VerifyProgress {
    size_t lineage = 0;  // from 1
    size_t lineages = 0;
    store::Verifier::Counts counts;
};

struct VerifyRequest {
    std::vector<uint64_t> lineages;  // none: all of them
    std::function<void(const VerifyProgress&)> progress;
};

struct Unchecked {
    std::optional<uint64_t> lineage;  // none: what nothing names
    Error why;
};

struct StoreFindings {
    std::vector<LineageFindings> lineages;
    std::vector<Unchecked> unchecked;    // what this process could not look at
    std::vector<store::Orphan> orphans;  // of a whole store only
    store::Verifier::Counts counts;

    uint64_t damage_count() const;
};

// not_found if a lineage that is asked for is not there.
Result<StoreFindings> verify_store(const store::Store& store, const VerifyRequest& request);

}  // namespace tarn::compute
