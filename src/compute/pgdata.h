// pgdata.h: makes the data directory that PostgreSQL sees, from a restore point; and takes back
// from it the small files that the next restore point must hold.
//
// The directory is scratch. Relation files are empty stubs of the right length; only the shim,
// which serves their pages from the store, makes them a cluster: `global/pg_control` is a file that
// PostgreSQL rejects, so a `postgres` started here without the shim ends at once.
#pragma once

#include <string>

#include "base/result.h"
#include "compute/attachments.h"
#include "compute/stub_tree.h"
#include "store/restore_point.h"

namespace tarn::compute {

// Directories, stubs of relation files, and small files: all of PGDATA but WAL, control file and
// configuration. `point` must live until the tree is applied.
Result<void> plan_pgdata(StubTree& tree, int major, const store::RestorePoint& point);

// Makes `pgdata` so, out of what it holds (stub_tree.h), with `pg_wal` leading to `wal_directory`.
Result<void> materialise(const std::string& pgdata, const std::string& wal_directory, int major,
                         const store::RestorePoint& point);

// The small files of a running or shut-down compute, as attachments of a restore point. Statistics
// count only once the compute is shut down.
Result<Attachments> small_files(const std::string& pgdata, bool shut_down);

// Is this file, by its path in PGDATA, one that restore points hold?
bool is_small_file(std::string_view path, bool shut_down);

}  // namespace tarn::compute
