// wal_end.h: reads WAL record by record, every checksum checked, to where it ends, or to a moment.
#pragma once

#include <functional>
#include <optional>

#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"
#include "wal/wal_files.h"

namespace tarn::wal {

struct WalEnd {
    Lsn end;           // of the last whole record at or below the limit
    uint32_t tli = 0;  // whose the byte before it is
    uint64_t records = 0;
    std::string stopped_by;                  // what follows it, for messages
    Lsn wrong_from;                          // where that lies: a record, a page, a segment;
    Lsn wrong_to;                            // and the end of what was read of it
    bool reached = false;                    // it is where the walk was to end: more may follow
    std::optional<Time> last_transaction;    // when the last one ended that is counted
    uint32_t max_prepared_transactions = 0;  // the largest that a changed setting had
};

struct WalWalk {
    Lsn from;  // a record's beginning: redo
    uint32_t tli = 0;
    Lsn limit{~uint64_t{0}};  // nothing that ends behind it counts
    // Nor does anything from the first commit or abort on, in the order of the log, that happened
    // later than this.
    std::optional<Time> until = {};
    int major = 0;
    uint64_t system_identifier = 0;  // 0: not compared
    // Asked now and then while it reads; an error ends the walk with it.
    std::function<Result<void>()> go_on = {};
};

// data_loss when the WAL ends in the middle: a segment is begun only when those before it are whole
// and synced, so one that was begun behind the end says that something before it is damaged; and
// when not even the record at `from` can be read.
Result<WalEnd> find_end(const WalFiles& files, const WalWalk& walk);

// The same walk for who wants to know how far it came: `end` is good in any case.
struct WalReading {
    WalEnd end;
    std::optional<Error> broken;  // what find_end() fails with
};
WalReading read_wal(const WalFiles& files, const WalWalk& walk);

}  // namespace tarn::wal
