// checkpoint_request.h: the server asks a running compute for a checkpoint, and waits for the
// restore point that comes of it.
//
// Threads: any.
#pragma once

#include "compute/endpoints.h"
#include "store/lineage.h"

namespace tarn::compute {

// The lineage of a running compute, once all it has written is in a restore point.
Result<uint64_t> seal_now(const Endpoints& endpoints, const std::string& uid);

// Before a branch of the lineage is made, on which `uid` runs: if it would have much WAL to replay,
// and no branch has asked a moment ago.
Result<void> seal_if_far(const Endpoints& endpoints, const store::Store& store, uint64_t lineage,
                         const std::string& uid);

}  // namespace tarn::compute
