// control_image.h: where the fields of a pg_control image lie, and the few that the shim reads.
//
// The shim looks at every write of pg_control, so: no allocation, no exceptions, no C++ runtime.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tarn::pg {

inline constexpr size_t kControlFileSize = 8192;

// PostgreSQL's DBState.
enum class ClusterState : uint32_t {
    startup,
    shut_down,
    shut_down_in_recovery,
    shutting_down,
    in_crash_recovery,
    in_archive_recovery,
    in_production,
};

// Byte offsets that versions 1300 (PostgreSQL 16), 1700 and 1800 share: the C structs
// ControlFileData and CheckPoint with the alignment of a 64-bit machine.
namespace control_offset {
inline constexpr size_t system_identifier = 0;
inline constexpr size_t version = 8;
inline constexpr size_t catalog_version = 12;
inline constexpr size_t state = 16;
inline constexpr size_t time = 24;
inline constexpr size_t checkpoint = 32;
inline constexpr size_t checkpoint_copy = 40;  // a CheckPoint, see checkpoint_offset
inline constexpr size_t unlogged_lsn = 128;
inline constexpr size_t min_recovery_point = 136;
inline constexpr size_t min_recovery_tli = 144;
inline constexpr size_t backup_start = 152;
inline constexpr size_t backup_end = 160;
inline constexpr size_t backup_end_required = 168;
inline constexpr size_t wal_level = 172;
inline constexpr size_t wal_log_hints = 176;
inline constexpr size_t max_connections = 180;
inline constexpr size_t max_worker_processes = 184;
inline constexpr size_t max_wal_senders = 188;
inline constexpr size_t max_prepared_transactions = 192;
inline constexpr size_t max_locks_per_transaction = 196;
inline constexpr size_t track_commit_timestamp = 200;
inline constexpr size_t max_align = 204;
inline constexpr size_t float_format = 208;
inline constexpr size_t block_size = 216;
inline constexpr size_t relation_segment_blocks = 220;
inline constexpr size_t wal_block_size = 224;
inline constexpr size_t wal_segment_size = 228;
inline constexpr size_t data_checksum_version = 252;
inline constexpr size_t crc_1300 = 288;
inline constexpr size_t crc_1700 = 288;
inline constexpr size_t crc_1800 = 292;
}  // namespace control_offset

// Offsets inside a CheckPoint, which is also the body of a checkpoint record in the WAL.
namespace checkpoint_offset {
inline constexpr size_t redo = 0;
inline constexpr size_t tli = 8;
inline constexpr size_t previous_tli = 12;
inline constexpr size_t full_page_writes = 16;
inline constexpr size_t wal_level = 20;  // since 17
inline constexpr size_t next_xid = 24;   // with the epoch in the upper half
inline constexpr size_t next_oid = 32;
inline constexpr size_t next_multixact = 36;
inline constexpr size_t next_multixact_offset = 40;
inline constexpr size_t oldest_xid = 44;
inline constexpr size_t oldest_multixact = 52;
inline constexpr size_t time = 64;
inline constexpr size_t oldest_active_xid = 80;
inline constexpr size_t size = 88;
}  // namespace checkpoint_offset

// 16, 17 or 18; 0 for a control file version that Tarn doesn't know.
int control_major(uint32_t control_version);
// Where the CRC lies, which is also how many bytes it covers; 0 for an unknown version.
size_t control_crc_offset(uint32_t control_version);

struct ControlCheckpoint {
    int major = 0;
    ClusterState state = ClusterState::startup;
    uint64_t system_identifier = 0;
    uint64_t checkpoint = 0;  // LSN of the newest checkpoint record
    uint64_t redo = 0;        // where replay from it begins
    uint32_t tli = 0;
    uint64_t min_recovery_point = 0;
    uint32_t wal_segment_size = 0;
};

// Reads the newest checkpoint out of an image as PostgreSQL writes it. False, and `out` untouched,
// if it is shorter than a control file, of an unknown version, or its CRC is wrong.
bool control_checkpoint(const void* image, size_t size, ControlCheckpoint* out);

}  // namespace tarn::pg
