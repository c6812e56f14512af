// wal_record.h: the few WAL records whose contents Tarn reads: what ends transactions, checkpoints,
// and timelines, and at what time.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "pg/control_file.h"
#include "pg/wal_walker.h"

namespace tarn::pg {

enum class WalEventKind : uint8_t {
    commit,   // also of a prepared transaction
    abort,    // likewise
    prepare,  // PREPARE TRANSACTION; moments by time do not look at it
    checkpoint_shutdown,
    checkpoint_online,
    end_of_recovery,
    restore_point,  // pg_create_restore_point()
};

struct WalEvent {
    WalEventKind kind = WalEventKind::commit;
    Time time;
    uint32_t xid = 0;                           // 0 where a prepared transaction ends
    std::optional<Checkpoint> checkpoint = {};  // of both kinds of checkpoints
    uint32_t tli = 0;                           // end_of_recovery: the timeline that begins
    uint32_t previous_tli = 0;                  // and the one that ends
    std::string name = {};                      // restore_point
};

// What `record` tells, nullopt for the many records that are none of the above. data_loss if its
// contents are not what PostgreSQL writes.
Result<std::optional<WalEvent>> decode_event(const WalRecord& record);

// max_prepared_transactions, if the record is PostgreSQL's note that settings have changed.
std::optional<uint32_t> changed_max_prepared_transactions(const WalRecord& record);

// Microseconds since 2000-01-01 UTC.
Time from_postgres_timestamp(int64_t timestamp);

// Puts another system identifier into the header of a segment. The rest of the log does not hold
// it.
Result<void> patch_segment_system_identifier(std::span<std::byte> segment,
                                             uint64_t system_identifier);

}  // namespace tarn::pg
