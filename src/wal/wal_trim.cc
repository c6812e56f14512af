#include "wal/wal_trim.h"

#include <cerrno>

#include "wal/wal_files.h"

namespace tarn::wal {

Result<void> trim_wal(sys::Disk& disk, const std::string& directory, Lsn from, Lsn to) {
    for (const auto& name : TRY(sys::list_names_if_any(disk, directory))) {
        SegmentId segment;
        if (!pg::parse_wal_name(name, pg::kDefaultWalSegmentSize, &segment.tli, &segment.number))
            continue;
        bool needed = (segment.number + 1) * kSegmentBytes > from.value &&
                      segment.number * kSegmentBytes < to.value;
        if (needed) continue;
        std::string path = directory + "/" + name;
        if (int result = disk.unlink(path.c_str()); result < 0 && result != -ENOENT)
            return errno_error(-result, fmt::format("remove {}", path));
    }
    return {};
}

}  // namespace tarn::wal
