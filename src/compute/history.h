// history.h: the past of a lineage: which restore point and WAL a moment in it is opened from, and
// how long they are kept (docs/internals/history.md).
//
// A lineage's WAL is one line: incarnation after incarnation, each from where the one before was
// known to end, and before the first its ancestors' up to where it was branched. Each incarnation
// has all the WAL from the restore point that it began from, until that is let go of.
//
// Invariants
//   H1  a moment is opened from a restore point whose consistent_lsn is at or before it, and all
//       WAL from there to the moment has been read and checked; it reaches everything that was
//       known to be durable by then.
//       [MomentTest.EachIsWhatWasCommittedByThen, MomentTest.DamagedWalIsDataLossAndNoOtherMoment]
//   H2  what is promised by kept_from() is there: the promise is durable before anything goes.
//       [MomentTest.HistoryThatIsLetGoOfTakesItsFilesAndNoOther]
//   H3  nothing goes while somebody holds the history. [MomentTest.NothingGoesWhileSomebodyHoldsIt]
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "compute/attachments.h"
#include "compute/computes.h"
#include "compute/history_cost.h"
#include "compute/history_lock.h"
#include "store/give_back.h"
#include "store/lineage.h"
#include "sys/descriptor.h"
#include "wal/wal_compression.h"
#include "wal/wal_end.h"
#include "wal/wal_files.h"

namespace tarn::compute {

// What a moment is opened from.
struct MomentSource {
    uint64_t lineage = 0;  // that it lies in: the one asked about, or an ancestor
    store::RestorePoint point;
    PointControl control;
    wal::WalFiles files;  // of the incarnation that the moment lies in
    wal::WalEnd end;      // end.end is the moment
    // The time that was asked for. Of a position: when the last transaction before it ended, or
    // the restore point was taken if there is none since.
    Time time;
    std::vector<sys::Descriptor> held;  // while these are open nothing of it is removed
};

// bad_request when a position lies ahead of the lineage's newest, or a moment before the history
// that is kept. data_loss when WAL is missing or damaged. unavailable while the compute is
// starting.
Result<MomentSource> find_moment(const store::Store& store, uint64_t lineage, const Moment& moment);

// From where on every moment of a lineage can be opened; nothing is noted for one whose history
// goes back to where it began.
struct KeptFrom {
    Lsn lsn;
    Time time;
};
Result<std::optional<KeptFrom>> kept_from(const store::Store& store, uint64_t lineage);
Result<void> write_kept_from(const store::Store& store, uint64_t lineage, const KeptFrom& from);

// What looking after a lineage's history remembers from one round to the next.
struct HistoryRounds {
    std::vector<store::RestorePointId> points;  // that were left
    Time thinned;                               // when that was; nothing: the next round goes on
    bool has_more = false;                      // to pack: there is enough for a round at once
    HistoryLimits limits;                       // and to what
    MeasuredHistory measured;
    std::optional<Time> held_since;  // by somebody who reads it: nothing has gone since
    Result<void> result;             // of giving back what was left of those that went
    store::GiveBack give_back;
};

// Lets go of what only moments before `time` need, of restore points that the history's budget has
// no room for, and of the space of what nobody can see any more. A compute may be running. Nothing
// happens while somebody holds the history, or for a lineage that is not there.
// The plain segments that compress_archived_wal() has made needless go too, and WAL of lives that
// ended is archived.
Result<void> trim_history(const store::Store& store, uint64_t lineage, Time time, Time now,
                          const HistoryLimits& limits, store::Origins& origins,
                          HistoryRounds& rounds);

// Compresses one archived segment that no start replays any more; its plain file stays. Answers its
// bytes; 0 if there is none, or it was told not to go on (wal_compression.h).
Result<uint64_t> compress_archived_wal(const store::Store& store, uint64_t lineage,
                                       const std::function<bool()>& go_on,
                                       wal::Unreadable& unreadable);

}  // namespace tarn::compute
