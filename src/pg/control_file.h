// control_file.h: pg_control decoded, and the changes that Tarn makes to copies of it.
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.h"
#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"
#include "pg/control_image.h"

namespace tarn::pg {

using ControlImage = std::array<std::byte, kControlFileSize>;

// The CheckPoint that both pg_control and checkpoint records hold.
struct Checkpoint {
    Lsn redo;
    uint32_t tli = 0;
    uint32_t previous_tli = 0;
    bool full_page_writes = false;
    uint64_t next_xid = 0;  // with the epoch in the upper half
    uint32_t next_oid = 0;
    uint32_t next_multixact = 0;
    uint32_t oldest_xid = 0;
    uint32_t oldest_active_xid = 0;
    Time time;
};

struct ControlFile {
    int major = 0;
    uint64_t system_identifier = 0;
    uint32_t control_version = 0;
    uint32_t catalog_version = 0;
    ClusterState state = ClusterState::startup;
    Time time;
    Lsn checkpoint;  // the record's own position
    Checkpoint checkpoint_copy;
    Lsn unlogged_lsn;
    Lsn min_recovery_point;
    uint32_t min_recovery_tli = 0;
    Lsn backup_start;
    Lsn backup_end;
    bool backup_end_required = false;
    // Settings that a start with smaller values of refuses.
    uint32_t max_connections = 0;
    uint32_t max_worker_processes = 0;
    uint32_t max_wal_senders = 0;
    uint32_t max_prepared_transactions = 0;
    uint32_t max_locks_per_transaction = 0;
    uint32_t wal_segment_size = 0;
    uint32_t data_checksum_version = 0;  // 0: no data checksums
};

std::string_view cluster_state_name(ClusterState state);

// `body` must hold checkpoint_offset::size bytes.
Checkpoint decode_checkpoint(const std::byte* body);

// Refuses another version than 16, 17 and 18 write, a wrong CRC (data_loss), and clusters whose
// block size, segment size or state are not those of a stock build.
Result<ControlFile> decode_control_file(Bytes image);

// Copies of `image` with some fields changed and the CRC made right. `image` is checked first.
Result<ControlImage> with_system_identifier(Bytes image, uint64_t system_identifier);
// State "in archive recovery" until `min_recovery_point` on `tli` is reached, no backup under way:
// recovery then refuses to end before that point and treats references to missing pages as fatal.
Result<ControlImage> as_archive_recovery(Bytes image, Lsn min_recovery_point, uint32_t tli);

}  // namespace tarn::pg
