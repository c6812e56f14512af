#include "pg/control_file.h"

#include <algorithm>

#include "base/crc32c.h"
#include "pg/relation_path.h"
#include "pg/wal_name.h"

namespace tarn::pg {

namespace {

constexpr double kFloatFormat = 1234567.0;

template <class T>
T field(Bytes image, size_t offset) {
    return load<T>(image.data(), offset);
}

// A damaged but CRC-correct time must not overflow the multiplication.
Time from_unix_seconds(int64_t seconds) {
    constexpr int64_t kLimit = INT64_MAX / 1'000'000;
    return Time(std::chrono::seconds(std::clamp(seconds, -kLimit, kLimit)));
}

Result<void> check_checksum(Bytes image) {
    if (image.size() != kControlFileSize)
        return error(Code::data_loss, "control file has {} bytes instead of {}", image.size(),
                     kControlFileSize);
    auto version = field<uint32_t>(image, control_offset::version);
    size_t crc_offset = control_crc_offset(version);
    if (crc_offset == 0)
        return error(Code::unimplemented, "control file has the unknown version {}", version)
            .with_hint("Tarn reads control files of PostgreSQL 16, 17 and 18 (1300, 1700, 1800)");
    auto stored = field<uint32_t>(image, crc_offset);
    auto computed = crc32c(0, image.data(), crc_offset);
    if (stored != computed)
        return error(Code::data_loss, "control file has CRC {:08x} but its bytes give {:08x}",
                     stored, computed)
            .with_hint("take another copy: PostgreSQL may have been writing this one");
    return {};
}

Result<void> check_build(Bytes image) {
    auto block = field<uint32_t>(image, control_offset::block_size);
    auto wal_block = field<uint32_t>(image, control_offset::wal_block_size);
    auto segment = field<uint32_t>(image, control_offset::relation_segment_blocks);
    if (block != kBlockSize || wal_block != kBlockSize || segment != kRelationSegmentBlocks ||
        field<uint32_t>(image, control_offset::max_align) != 8 ||
        field<double>(image, control_offset::float_format) != kFloatFormat)
        return error(
                   Code::unimplemented,
                   "control file belongs to a PostgreSQL built with blocks of {} bytes, WAL blocks "
                   "of {} bytes and {} blocks a segment file",
                   block, wal_block, segment)
            .with_hint("use a build with the default sizes: 8192, 8192 and 131072");
    auto wal_segment = field<uint32_t>(image, control_offset::wal_segment_size);
    if (!valid_wal_segment_size(wal_segment))
        return error(Code::data_loss, "control file has the impossible WAL segment size {}",
                     wal_segment);
    auto state = field<uint32_t>(image, control_offset::state);
    if (state > static_cast<uint32_t>(ClusterState::in_production))
        return error(Code::data_loss, "control file has the unknown cluster state {}", state);
    return {};
}

Result<ControlImage> copy_of(Bytes image) {
    TRY(check_checksum(image));
    TRY(check_build(image));
    ControlImage copy;
    std::copy(image.begin(), image.end(), copy.begin());
    return copy;
}

void set_crc(ControlImage& image) {
    size_t offset = control_crc_offset(load<uint32_t>(image.data(), control_offset::version));
    put(image.data(), offset, crc32c(0, image.data(), offset));
}

}  // namespace

std::string_view cluster_state_name(ClusterState state) {
    switch (state) {
        case ClusterState::startup:
            return "starting up";
        case ClusterState::shut_down:
            return "shut down";
        case ClusterState::shut_down_in_recovery:
            return "shut down in recovery";
        case ClusterState::shutting_down:
            return "shutting down";
        case ClusterState::in_crash_recovery:
            return "in crash recovery";
        case ClusterState::in_archive_recovery:
            return "in archive recovery";
        case ClusterState::in_production:
            return "in production";
    }
    return "unknown";
}

Checkpoint decode_checkpoint(const std::byte* body) {
    namespace offset = checkpoint_offset;
    return {.redo = {load<uint64_t>(body, offset::redo)},
            .tli = load<uint32_t>(body, offset::tli),
            .previous_tli = load<uint32_t>(body, offset::previous_tli),
            .full_page_writes = load<uint8_t>(body, offset::full_page_writes) != 0,
            .next_xid = load<uint64_t>(body, offset::next_xid),
            .next_oid = load<uint32_t>(body, offset::next_oid),
            .next_multixact = load<uint32_t>(body, offset::next_multixact),
            .oldest_xid = load<uint32_t>(body, offset::oldest_xid),
            .oldest_active_xid = load<uint32_t>(body, offset::oldest_active_xid),
            .time = from_unix_seconds(load<int64_t>(body, offset::time))};
}

Result<ControlFile> decode_control_file(Bytes image) {
    namespace offset = control_offset;
    TRY(check_checksum(image));
    TRY(check_build(image));
    auto version = field<uint32_t>(image, offset::version);
    return ControlFile{
        .major = control_major(version),
        .system_identifier = field<uint64_t>(image, offset::system_identifier),
        .control_version = version,
        .catalog_version = field<uint32_t>(image, offset::catalog_version),
        .state = static_cast<ClusterState>(field<uint32_t>(image, offset::state)),
        .time = from_unix_seconds(field<int64_t>(image, offset::time)),
        .checkpoint = {field<uint64_t>(image, offset::checkpoint)},
        .checkpoint_copy = decode_checkpoint(image.data() + offset::checkpoint_copy),
        .unlogged_lsn = {field<uint64_t>(image, offset::unlogged_lsn)},
        .min_recovery_point = {field<uint64_t>(image, offset::min_recovery_point)},
        .min_recovery_tli = field<uint32_t>(image, offset::min_recovery_tli),
        .backup_start = {field<uint64_t>(image, offset::backup_start)},
        .backup_end = {field<uint64_t>(image, offset::backup_end)},
        .backup_end_required = field<uint8_t>(image, offset::backup_end_required) != 0,
        .max_connections = field<uint32_t>(image, offset::max_connections),
        .max_worker_processes = field<uint32_t>(image, offset::max_worker_processes),
        .max_wal_senders = field<uint32_t>(image, offset::max_wal_senders),
        .max_prepared_transactions = field<uint32_t>(image, offset::max_prepared_transactions),
        .max_locks_per_transaction = field<uint32_t>(image, offset::max_locks_per_transaction),
        .wal_segment_size = field<uint32_t>(image, offset::wal_segment_size),
        .data_checksum_version = field<uint32_t>(image, offset::data_checksum_version)};
}

Result<ControlImage> with_system_identifier(Bytes image, uint64_t system_identifier) {
    auto copy = TRY_CTX(copy_of(image), "set the system identifier {}", system_identifier);
    put(copy.data(), control_offset::system_identifier, system_identifier);
    set_crc(copy);
    return copy;
}

Result<ControlImage> as_archive_recovery(Bytes image, Lsn min_recovery_point, uint32_t tli) {
    auto copy = TRY_CTX(copy_of(image), "prepare recovery to {}", min_recovery_point.text());
    namespace offset = control_offset;
    auto redo = load<uint64_t>(copy.data(), offset::checkpoint_copy + checkpoint_offset::redo);
    // An invalid or earlier point would switch PostgreSQL's own consistency check off.
    if (min_recovery_point.value < redo || tli == 0)
        return error(Code::invalid_argument,
                     "prepare recovery to {} on timeline {}: replay begins at {}",
                     min_recovery_point.text(), tli, Lsn{redo}.text());
    put(copy.data(), offset::state, static_cast<uint32_t>(ClusterState::in_archive_recovery));
    put(copy.data(), offset::min_recovery_point, min_recovery_point.value);
    put(copy.data(), offset::min_recovery_tli, tli);
    put(copy.data(), offset::backup_start, uint64_t{0});
    put(copy.data(), offset::backup_end, uint64_t{0});
    put(copy.data(), offset::backup_end_required, uint8_t{0});
    set_crc(copy);
    return copy;
}

}  // namespace tarn::pg
