#include "wal/wal_trim.h"

#include <cerrno>

#include "wal/wal_files.h"

namespace tarn::wal {

namespace {

// Also of a compressed one, and of what a crash has left of its making.
std::optional<SegmentId> segment_of(std::string_view name) {
    auto segment = parse_segment_name(name);
    for (std::string_view suffix : {".zst", ".zst.tmp"})
        if (!segment) segment = parse_segment_name(name, suffix);
    return segment;
}

}  // namespace

Result<void> trim_wal(sys::Disk& disk, const std::string& directory, Lsn from, Lsn to) {
    for (const auto& name : TRY(sys::list_names_if_any(disk, directory))) {
        auto segment = segment_of(name);
        if (!segment) continue;
        bool needed = (segment->number + 1) * kSegmentBytes > from.value &&
                      segment->number * kSegmentBytes < to.value;
        if (needed) continue;
        std::string path = directory + "/" + name;
        if (int result = disk.unlink(path.c_str()); result < 0 && result != -ENOENT)
            return errno_error(-result, fmt::format("remove {}", path));
    }
    return {};
}

}  // namespace tarn::wal
