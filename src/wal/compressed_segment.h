// compressed_segment.h: a WAL segment that nobody writes to any more, compressed
// (docs/formats/compressed-wal.md).
//
// Invariants
//   J1  what decompress_segment() answers is, byte for byte, what compress_segment() was given, of
//       that segment; anything else is data_loss.
//       [CompressedSegment.ComesBackAsItWas, CompressedSegment.EveryDamagedByteIsDataLoss]
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wal/segment_id.h"

namespace tarn::wal {

// "TARNWAL" and a zero byte, as its bytes lie in a little-endian file.
inline constexpr uint64_t kCompressedMagic = 0x004c41574e524154;
inline constexpr uint32_t kCompressedVersion = 1;

struct CompressedHeader {
    uint64_t magic;
    uint32_t version;
    uint32_t crc;  // CRC-32C of the whole file with this field 0
    uint64_t total_bytes;
    uint64_t number;
    uint32_t tli;
    uint32_t plain_crc;
    uint64_t plain_bytes;
};
static_assert(sizeof(CompressedHeader) == 48);

// Nothing if `go_on`, which is asked after each megabyte, says no.
Result<std::optional<std::string>> compress_segment(SegmentId segment, std::string_view plain,
                                                    const std::function<bool()>& go_on);
// `path` is for messages.
Result<std::string> decompress_segment(SegmentId segment, std::string_view file,
                                       const std::string& path);

}  // namespace tarn::wal
