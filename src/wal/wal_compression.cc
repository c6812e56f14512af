#include "wal/wal_compression.h"

#include <cerrno>
#include <set>

#include "base/log.h"
#include "sys/files.h"
#include "wal/compressed_segment.h"

namespace tarn::wal {

namespace {

struct Archive {
    std::set<SegmentId> plain;
    std::set<SegmentId> compressed;
};

// The plain segments that have no compressed file.
std::set<SegmentId> uncompressed(const Archive& archive) {
    std::set<SegmentId> left = archive.plain;
    std::erase_if(left, [&](SegmentId each) { return archive.compressed.contains(each); });
    return left;
}

Result<Archive> list_archive(sys::Disk& disk, const std::string& directory) {
    Archive archive;
    for (const auto& name : TRY(sys::list_names_if_any(disk, directory))) {
        if (auto segment = parse_segment_name(name))
            archive.plain.insert(*segment);
        else if (auto made = parse_segment_name(name, kCompressedSuffix))
            archive.compressed.insert(*made);
    }
    return archive;
}

}  // namespace

Result<bool> has_uncompressed(sys::Disk& disk, const std::string& directory) {
    return !uncompressed(TRY(list_archive(disk, directory))).empty();
}

Result<uint64_t> compress_next(sys::Disk& disk, const std::string& directory, Lsn below) {
    for (SegmentId segment : uncompressed(TRY(list_archive(disk, directory)))) {
        if ((segment.number + 1) * kSegmentBytes > below.value) continue;
        auto plain = sys::read_file(disk, directory + "/" + segment_name(segment));
        if (!plain && plain.error().code() == Code::not_found) continue;
        std::string bytes = TRY(std::move(plain));
        std::string path = directory + "/" + compressed_name(segment);
        std::string file = TRY(compress_segment(segment, bytes));
        // Before anything relies on it: memory and libraries fail too.
        if (TRY(decompress_segment(segment, file, path)) != bytes)
            return error(Code::internal, "compress WAL {}: other bytes come back", path);
        TRY_CTX(sys::replace_durably(disk, path, file, sys::SyncSite::wal_compressed_data,
                                     sys::SyncSite::wal_compressed_directory),
                "compress WAL to {}", path);
        return bytes.size();
    }
    return uint64_t{0};
}

Result<void> remove_compressed(sys::Disk& disk, const std::string& directory) {
    auto archive = TRY(list_archive(disk, directory));
    std::erase_if(archive.plain,
                  [&](SegmentId each) { return !archive.compressed.contains(each); });
    if (archive.plain.empty()) return {};
    // Whoever made them may have died before their names were durable.
    TRY(sys::sync_directory(disk, directory, sys::SyncSite::wal_compressed_directory));
    for (SegmentId segment : archive.plain) {
        std::string path = directory + "/" + segment_name(segment);
        // Read back from the disk: this is the last good copy otherwise.
        std::string beside = directory + "/" + compressed_name(segment);
        auto good = sys::read_file(disk, beside);
        if (good) good = decompress_segment(segment, *good, beside);
        if (!good) {
            log::error("wal: {}; it is made anew", good.error().text());
            path = beside;
        }
        if (int result = disk.unlink(path.c_str()); result < 0 && result != -ENOENT)
            return errno_error(-result, fmt::format("remove {}", path));
    }
    return {};
}

}  // namespace tarn::wal
