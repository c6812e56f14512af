// export.h: a moment of a lineage as a plain PGDATA, which stock PostgreSQL of the same major
// starts without Tarn.
//
// The files of the restore point are written whole, with the WAL from there to the moment and a
// control file that says "in archive recovery until the moment". Then stock PostgreSQL itself
// recovers and shuts down: what is left is a clean cluster that needs no recovery, and needed one
// that was proven.
//
// Invariants
//   E1  all pages are checked as they are read, all WAL was before; recovery that ends before the
//       moment fails. [ExportTest.DamageIsRefusedAndNothingIsLeft]
//   E2  an export that fails leaves nothing in the target; of one that is killed PostgreSQL starts
//       nothing: global/pg_control comes last, and before its recovery only with restore_command.
//       [ExportTest.DamageIsRefusedAndNothingIsLeft, ExportTest.ATargetThatHoldsSomethingIsRefused]
//   E3  what comes out is shut down cleanly, and only its owner may read it.
//       [ExportTest.StockPostgresOpensWhatWasThere]
#pragma once

#include <string>

#include "base/result.h"
#include "compute/history.h"
#include "compute/postgres_install.h"
#include "compute/user.h"

namespace tarn::compute {

struct ExportTarget {
    std::string directory;     // absent, or empty
    PostgresInstall postgres;  // of the lineage's major
    // Whose the files are to be, where the directory is not there yet, or root's. Only root can
    // give them away.
    ComputeUser owner;
};

// Who owns the export, and so may start it. bad_request if the directory holds something.
Result<ComputeUser> owner_of_export(const ExportTarget& target);

// `source` is held meanwhile (find_moment()). data_loss if a page or WAL is damaged.
Result<void> export_moment(const store::Store& store, const MomentSource& source,
                           const ExportTarget& target);

}  // namespace tarn::compute
