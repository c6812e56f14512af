// verify_life.h: one incarnation as verify_lineage() looks at it: what its moments are opened from,
// and the WAL between.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "compute/attachments.h"
#include "compute/lives.h"
#include "compute/verify_findings.h"
#include "store/lineage.h"
#include "wal/wal_end.h"
#include "wal/wal_files.h"

namespace tarn::compute {

// What the moments from `lsn` to the next beginning are opened from: the restore point that the
// incarnation began from, or one of its own.
struct Beginning {
    store::RestorePointId id;
    Lsn lsn;
    Time time;
    Lsn consistent;
    Lsn redo;
    uint32_t tli = 0;
    int major = 0;
    bool readable = false;  // the restore point and its attachments: then all the above is known
    bool whole = true;      // and so is every page that it shows
};

// WAL that was read in one go.
struct Stretch {
    Lsn from;
    wal::WalEnd end;
    std::optional<Error> broken;  // why what lies behind `end` cannot be opened
    bool covers(const Beginning& each) const { return from <= each.redo && each.redo < end.end; }
};

struct CheckedLife {
    Life life;
    bool end_known = true;  // life.end is where the next one began, if one has
    std::optional<Time> end_time;
    std::vector<Beginning> beginnings;
    std::vector<Stretch> wal;

    // The next readable one behind `at`; null if there is none.
    const Beginning* next(size_t at) const;
    // Where the moments of beginning `at` end: at the next one, or with the life.
    MomentRange moments_of(size_t at) const;
};

// Fills in what a restore point says of itself; `own` if it is one of the life's own.
Result<void> describe(const store::RestorePoint& point, bool own, Beginning& beginning);

// Reads the life's WAL from that beginning on, to where the next life began; in the newest life to
// where it must at least reach. `go_on` may end it (wal::WalWalk).
Result<Stretch> read_stretch(const store::Store& store, CheckedLife& life, const Beginning& from,
                             uint64_t system_identifier,
                             const std::function<Result<void>()>& go_on);

// The moments behind a broken stretch that began with `begin`: up to the beginning numbered `next`,
// from which WAL can be read again, or to the life's end if there is none.
MomentRange moments_behind(const CheckedLife& life, const Beginning& begin, const Stretch& stretch,
                           size_t next);

// What is broken behind a stretch, and in which file.
Damage wal_damage(const store::Store& store, const CheckedLife& life, const Stretch& stretch);

}  // namespace tarn::compute
