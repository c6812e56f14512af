#include "store/packed_reader.h"

#include <fcntl.h>

// The way to decompress without an allocator is outside the part of its interface that the library
// promises to keep: it is linked statically where that matters, in the shim.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <cerrno>
#include <cstring>

namespace tarn::store {

namespace {

constexpr int kAttempts = 2;

int read_fully(sys::Disk& disk, int fd, void* data, size_t size, uint64_t offset) {
    for (size_t done = 0; done < size;) {
        int64_t part = disk.pread(fd, static_cast<char*>(data) + done, size - done,
                                  static_cast<int64_t>(offset + done));
        if (part <= 0) return part < 0 ? static_cast<int>(part) : -EIO;
        done += static_cast<size_t>(part);
    }
    return 0;
}

}  // namespace

bool is_packed_header(const PackedHeader& header, LogId log, uint64_t segment, uint64_t size) {
    return std::memcmp(header.magic, kPackedMagic, sizeof kPackedMagic) == 0 &&
           header.version == kPackedVersion && header.lineage == log.lineage &&
           header.incarnation == log.incarnation && header.segment == segment &&
           header.count <= kSlotsPerSegment && header.total_bytes == size;
}

bool Unpacker::has_room() {
    return ZSTD_estimateDCtxSize() <= kWorkspace;
}

int Unpacker::unpack(const void* bytes, size_t size, void* page) {
    if (!context_) context_ = ZSTD_initStaticDCtx(workspace_, sizeof workspace_);
    if (!context_) return -ENOMEM;
    size_t result = ZSTD_decompressDCtx(context_, page, kBlockBytes, bytes, size);
    return result == kBlockBytes ? 0 : -EIO;
}

int PackedReader::read_from(sys::Disk& disk, int fd, const Wanted& wanted, void* page) {
    PackedHeader header;
    if (int result = read_fully(disk, fd, &header, sizeof header, 0); result < 0) return result;
    int64_t size = disk.size(fd);
    if (size < 0 || !is_packed_header(header, wanted.log, wanted.slot / kSlotsPerSegment,
                                      static_cast<uint64_t>(size)))
        return -EIO;
    uint64_t place = wanted.slot % kSlotsPerSegment, group = place / kPackedGroup;
    uint32_t from = header.before[group];
    uint32_t to = group + 1 < kPackedGroups ? header.before[group + 1] : header.count;
    if (from > to || to > header.count || to - from > kPackedGroup) return -EIO;
    PackedEntry entries[kPackedGroup];
    if (int result = read_fully(disk, fd, entries, (to - from) * sizeof(PackedEntry),
                                sizeof header + from * sizeof(PackedEntry));
        result < 0)
        return result;
    for (uint32_t i = 0; i < to - from; ++i) {
        if (entries[i].place != place) continue;
        if (entries[i].bytes == 0) return -ENOENT;
        if (entries[i].bytes > kMostPackedBytes) return -EIO;
        char packed[kMostPackedBytes];
        if (int result = read_fully(disk, fd, packed, entries[i].bytes, entries[i].offset);
            result < 0)
            return result;
        // Many a damaged byte is unpacked without complaint: to another page.
        bool whole = unpacker_.unpack(packed, entries[i].bytes, page) == 0 &&
                     crc32c(0, page, kBlockBytes) == wanted.page_crc;
        return whole ? 0 : -EIO;
    }
    return -ENOENT;
}

int PackedReader::read_once(sys::Disk& disk, const char* root, const Wanted& wanted, void* page) {
    uint64_t segment = wanted.slot / kSlotsPerSegment;
    int result = -ENOENT;
    for (uint32_t number = 0; number < kPackedNumbers && result != 0; ++number) {
        int fd = disk.open(packed_path(root, wanted.log, segment, number), O_RDONLY, 0);
        int read = fd < 0 ? fd : read_from(disk, fd, wanted, page);
        if (fd >= 0) disk.close(fd);
        if (read != -ENOENT) result = read;
    }
    return result;
}

int PackedReader::read(sys::Disk& disk, const char* root, const Wanted& wanted, void* page) {
    int result = -ENOENT;
    // One file may have taken the other's place between the looks for them.
    for (int attempt = 0; attempt < kAttempts && result == -ENOENT; ++attempt)
        result = read_once(disk, root, wanted, page);
    return result;
}

}  // namespace tarn::store
