// wal_format.h: constants and byte offsets of PostgreSQL's write-ahead log.
//
// The shim uses it: no allocation, no exceptions, no C++ runtime.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace tarn::pg {

inline constexpr uint32_t kWalPageSize = 8192;

// The first field of each page tells the major version; 0 for one that Tarn doesn't know.
constexpr uint16_t wal_page_magic(int major) {
    switch (major) {
        case 16:
            return 0xD113;
        case 17:
            return 0xD116;
        case 18:
            return 0xD118;
        default:
            return 0;
    }
}
constexpr int wal_major(uint16_t magic) {
    for (int major : {16, 17, 18})
        if (wal_page_magic(major) == magic) return major;
    return 0;
}

// XLogPageHeaderData; the first page of a segment has the long form.
namespace wal_page_offset {
inline constexpr size_t magic = 0;
inline constexpr size_t info = 2;
inline constexpr size_t tli = 4;
inline constexpr size_t address = 8;
inline constexpr size_t remaining = 16;  // bytes of a record begun on an earlier page
inline constexpr size_t short_size = 24;
inline constexpr size_t system_identifier = 24;
inline constexpr size_t segment_size = 32;
inline constexpr size_t block_size = 36;
inline constexpr size_t long_size = 40;
}  // namespace wal_page_offset

namespace wal_page_flag {
inline constexpr uint16_t first_is_continuation = 0x0001;
inline constexpr uint16_t long_header = 0x0002;
inline constexpr uint16_t backup_removable = 0x0004;
// The record begun before this page was never finished; what follows replaces it.
inline constexpr uint16_t first_is_overwrite = 0x0008;
inline constexpr uint16_t all = 0x000f;
}  // namespace wal_page_flag

// XLogRecord. Its CRC covers the body first, then the header up to the CRC.
namespace wal_record_offset {
inline constexpr size_t total_length = 0;
inline constexpr size_t xid = 4;
inline constexpr size_t previous = 8;
inline constexpr size_t info = 16;
inline constexpr size_t rmid = 17;
inline constexpr size_t crc = 20;
inline constexpr size_t header_size = 24;
}  // namespace wal_record_offset

// Resource managers whose records Tarn reads.
inline constexpr uint8_t kRmgrXlog = 0;
inline constexpr uint8_t kRmgrTransaction = 1;
inline constexpr uint8_t kRmgrLastBuiltin = 21;
inline constexpr uint8_t kRmgrFirstCustom = 128;

// The upper four bits of a record's info byte belong to its resource manager.
inline constexpr uint8_t kWalInfoMask = 0xf0;

namespace xlog_info {
inline constexpr uint8_t checkpoint_shutdown = 0x00;
inline constexpr uint8_t checkpoint_online = 0x10;
inline constexpr uint8_t segment_switch = 0x40;
inline constexpr uint8_t parameter_change = 0x60;
inline constexpr uint8_t restore_point = 0x70;
inline constexpr uint8_t end_of_recovery = 0x90;
inline constexpr uint8_t overwrite_contrecord = 0xd0;
}  // namespace xlog_info

namespace transaction_info {
inline constexpr uint8_t mask = 0x70;  // bit 0x80 says that more follows the timestamp
inline constexpr uint8_t commit = 0x00;
inline constexpr uint8_t prepare = 0x10;
inline constexpr uint8_t abort = 0x20;
inline constexpr uint8_t commit_prepared = 0x30;
inline constexpr uint8_t abort_prepared = 0x40;
}  // namespace transaction_info

// Ids of the small headers between a record's header and its data.
namespace wal_data_header {
inline constexpr uint8_t top_level_xid = 252;  // u32
inline constexpr uint8_t origin = 253;         // u16
inline constexpr uint8_t data_long = 254;      // u32 length of the main data
inline constexpr uint8_t data_short = 255;     // u8 length of the main data
}  // namespace wal_data_header

struct WalSegmentHeader {
    int major = 0;
    uint32_t tli = 0;
    uint64_t address = 0;  // LSN of the segment's first byte
    uint64_t system_identifier = 0;
    uint32_t segment_size = 0;
};
// Reads the header of a segment's first page. False if it is none of a stock build, or all zeros.
bool read_segment_header(const void* page, size_t size, WalSegmentHeader* header);

}  // namespace tarn::pg
