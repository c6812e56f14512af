#include "wal/segment_id.h"

namespace tarn::wal {

std::string segment_name(SegmentId segment) {
    char name[pg::kWalNameLength + 1];
    pg::format_wal_name(segment.tli, segment.number, pg::kDefaultWalSegmentSize, name);
    return name;
}

std::string compressed_name(SegmentId segment) {
    return segment_name(segment) + std::string(kCompressedSuffix);
}

std::optional<SegmentId> parse_segment_name(std::string_view name, std::string_view suffix) {
    if (!name.ends_with(suffix)) return std::nullopt;
    name.remove_suffix(suffix.size());
    SegmentId segment;
    if (!pg::parse_wal_name(name, pg::kDefaultWalSegmentSize, &segment.tli, &segment.number))
        return std::nullopt;
    return segment;
}

}  // namespace tarn::wal
