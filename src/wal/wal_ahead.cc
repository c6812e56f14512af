#include "wal/wal_ahead.h"

#include <fcntl.h>

#include <cerrno>
#include <vector>

#include "base/bytes.h"
#include "pg/wal_format.h"
#include "sys/files.h"

namespace tarn::wal {

namespace {

// Small, because the page cache keeps what was written at once as one piece, and PostgreSQL's
// writes of single pages into large pieces are slower.
constexpr size_t kChunk = 16 << 10;

// PostgreSQL removes pg_wal/xlogtemp.* when it starts (RemoveTempXlogFiles).
constexpr const char* kUnfinished = "/xlogtemp.ahead";

Result<void> write_zeros(sys::Disk& disk, const std::string& path) {
    // A new file in any case: one that could not be removed may be a segment's second name.
    disk.unlink(path.c_str());
    sys::File file = TRY(sys::File::open(disk, path, O_RDWR | O_CREAT | O_EXCL));
    std::vector<char> zeros(kChunk);
    for (uint64_t at = 0; at < kSegmentBytes; at += kChunk)
        TRY(file.write(zeros.data(), zeros.size(), at));
    disk.write_back(file.fd(), 0, static_cast<int64_t>(kSegmentBytes));
    return {};
}

// Linked, not renamed: a segment that PostgreSQL has made meanwhile stays.
Result<void> make_segment(sys::Disk& disk, const std::string& directory, const std::string& path) {
    std::string unfinished = directory + kUnfinished;
    auto written = write_zeros(disk, unfinished);
    int linked = written ? disk.link(unfinished.c_str(), path.c_str()) : 0;
    disk.unlink(unfinished.c_str());
    TRY(std::move(written));
    if (linked < 0 && linked != -EEXIST)
        return errno_error(-linked, fmt::format("link {} to {}", path, unfinished));
    return {};
}

}  // namespace

Result<bool> holds_nothing(sys::Disk& disk, const std::string& path) {
    sys::File file = TRY(sys::File::open(disk, path, O_RDONLY));
    char page[pg::kWalPageSize];
    size_t got = TRY(file.read_some(page, sizeof page, 0));
    return is_zeros(page, got);
}

Result<void> make_ahead(sys::Disk& disk, const std::string& directory, SegmentId first,
                        uint32_t count) {
    for (uint64_t number = first.number; number < first.number + count; ++number) {
        std::string path = directory + "/" + segment_name({first.tli, number});
        if (!TRY(sys::exists(disk, path)))
            TRY_CTX(make_segment(disk, directory, path), "make {} ahead", path);
    }
    return {};
}

Result<void> sync_names(sys::Disk& disk, const std::string& directory) {
    return sys::sync_directory(disk, directory, sys::SyncSite::wal_ahead_directory);
}

Result<void> remove_ahead(sys::Disk& disk, const std::string& directory, SegmentId first) {
    for (const auto& name : TRY(sys::list_names(disk, directory))) {
        SegmentId segment;
        if (!pg::parse_wal_name(name, pg::kDefaultWalSegmentSize, &segment.tli, &segment.number) ||
            segment.tli != first.tli || segment.number < first.number)
            continue;
        std::string path = directory + "/" + name;
        if (!TRY(holds_nothing(disk, path))) continue;
        if (int result = disk.unlink(path.c_str()); result < 0)
            return errno_error(-result, fmt::format("remove {}", path));
    }
    return {};
}

}  // namespace tarn::wal
