// export_files.h: writes the files of a moment: a cluster in the middle of its recovery.
#pragma once

#include <string>

#include "base/result.h"
#include "compute/history.h"

namespace tarn::compute {

// Fills the empty directory `pgdata`, the control file last. Nothing is synced: PostgreSQL does so
// before it recovers.
Result<void> write_cluster(const store::Store& store, const MomentSource& source,
                           const std::string& pgdata);

}  // namespace tarn::compute
