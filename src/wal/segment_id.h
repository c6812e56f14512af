// segment_id.h: which WAL segment, and the names of the files that hold it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pg/wal_name.h"

namespace tarn::wal {

constexpr uint64_t kSegmentBytes = pg::kDefaultWalSegmentSize;

struct SegmentId {
    uint32_t tli = 0;
    uint64_t number = 0;
    auto operator<=>(const SegmentId&) const = default;
};

constexpr std::string_view kCompressedSuffix = ".zst";

std::string segment_name(SegmentId segment);
std::string compressed_name(SegmentId segment);
inline bool is_compressed_name(std::string_view path) {
    return path.ends_with(kCompressedSuffix);
}

// Which segment's file has that name; with a suffix: only such a one counts.
std::optional<SegmentId> parse_segment_name(std::string_view name, std::string_view suffix = "");

}  // namespace tarn::wal
