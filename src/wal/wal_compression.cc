#include "wal/wal_compression.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <vector>

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

Result<void> archive_ended(sys::Disk& disk, const std::string& wal, const std::string& archive,
                           Lsn end) {
    std::vector<std::string> names;
    for (auto& name : TRY(sys::list_names_if_any(disk, wal)))
        if (auto segment = parse_segment_name(name);
            segment && segment->number * kSegmentBytes < end.value)
            names.push_back(std::move(name));
    if (names.empty() || !TRY(sys::exists(disk, archive))) return {};
    // A name whose sync has failed is taken back: a second sync would say nothing of it.
    std::vector<std::string> linked;
    auto done = [&]() -> Result<void> {
        for (const std::string& name : names) {
            std::string from = wal + "/" + name, to = archive + "/" + name;
            int result = disk.link(from.c_str(), to.c_str());
            if (result < 0 && result != -EEXIST)
                return errno_error(-result, fmt::format("link {} to {}", from, to));
            if (result == 0) linked.push_back(to);
        }
        return sys::sync_directory(disk, archive, sys::SyncSite::wal_compressed_directory);
    }();
    if (!done) {
        for (const std::string& path : linked) disk.unlink(path.c_str());
        return done;
    }
    for (const std::string& name : names) {
        std::string path = wal + "/" + name;
        if (int result = disk.unlink(path.c_str()); result < 0 && result != -ENOENT)
            return errno_error(-result, fmt::format("remove {}", path));
    }
    return {};
}

Result<bool> has_uncompressed(sys::Disk& disk, const std::string& directory,
                              const Unreadable& unreadable) {
    auto left = uncompressed(TRY(list_archive(disk, directory)));
    return std::any_of(left.begin(), left.end(), [&](SegmentId each) {
        return !unreadable.contains(directory + "/" + segment_name(each));
    });
}

namespace {

constexpr size_t kPartBytes = 1 << 20;

// Nothing if it is not to go on.
Result<std::optional<std::string>> read_parts(sys::Disk& disk, const std::string& path,
                                              const std::function<bool()>& go_on) {
    auto file = TRY(sys::File::open(disk, path, O_RDONLY));
    std::string bytes;
    for (size_t got = kPartBytes; got == kPartBytes;) {
        if (!go_on()) return std::optional<std::string>();
        size_t at = bytes.size();
        bytes.resize(at + kPartBytes);
        got = TRY(file.read_some(bytes.data() + at, kPartBytes, at));
        bytes.resize(at + got);
    }
    return std::optional(std::move(bytes));
}

// Nothing if it is gone, was found to be unreadable, now or before, or it is not to go on.
Result<std::optional<std::string>> read_plain(sys::Disk& disk, const std::string& path,
                                              const CompressionRequest& request) {
    if (request.unreadable.contains(path)) return std::optional<std::string>();
    auto plain = read_parts(disk, path, request.go_on);
    if (plain) return plain;
    if (plain.error().code() == Code::not_found) return std::optional<std::string>();
    if (plain.error().code() != Code::io_error) return std::move(plain).error();
    log::error("wal: a segment stays uncompressed, the others go on: {}", plain.error().text());
    request.unreadable.insert(path);
    return std::optional<std::string>();
}

}  // namespace

Result<uint64_t> compress_next(sys::Disk& disk, const std::string& directory,
                               const CompressionRequest& request) {
    for (SegmentId segment : uncompressed(TRY(list_archive(disk, directory)))) {
        if ((segment.number + 1) * kSegmentBytes > request.below.value) continue;
        auto bytes = TRY(read_plain(disk, directory + "/" + segment_name(segment), request));
        if (!bytes) continue;
        std::string path = directory + "/" + compressed_name(segment);
        auto file = TRY(compress_segment(segment, *bytes, request.go_on));
        if (!file) return uint64_t{0};
        // Before anything relies on it: memory and libraries fail too.
        if (TRY(decompress_segment(segment, *file, path)) != *bytes)
            return error(Code::internal, "compress WAL {}: other bytes come back", path);
        if (!request.go_on()) return uint64_t{0};
        TRY_CTX(sys::replace_durably(disk, path, *file, sys::SyncSite::wal_compressed_data,
                                     sys::SyncSite::wal_compressed_directory),
                "compress WAL to {}", path);
        return bytes->size();
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
