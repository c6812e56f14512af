// wal_name.h: the names of WAL segments and timeline history files.
//
// The shim uses it: no allocation, no exceptions, no C++ runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tarn::pg {

inline constexpr uint32_t kDefaultWalSegmentSize = 16u << 20;
inline constexpr size_t kWalNameLength = 24;
inline constexpr size_t kHistoryNameLength = 16;  // "00000002.history"

// A power of two from 1 MiB to 1 GiB, as PostgreSQL demands.
bool valid_wal_segment_size(uint64_t size);

// Both write a terminating zero too.
void format_wal_name(uint32_t tli, uint64_t segment, uint32_t segment_size,
                     char (&name)[kWalNameLength + 1]);
void format_history_name(uint32_t tli, char (&name)[kHistoryNameLength + 1]);

// 24 upper-case hex digits, whatever the segment size.
bool is_wal_name(std::string_view name);
// False also if no segment of this size has that name.
bool parse_wal_name(std::string_view name, uint32_t segment_size, uint32_t* tli, uint64_t* segment);
bool parse_history_name(std::string_view name, uint32_t* tli);

// `text` must be 1 to 16 upper-case hex digits.
bool parse_upper_hex(std::string_view text, uint64_t* value);

}  // namespace tarn::pg
