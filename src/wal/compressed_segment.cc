#include "wal/compressed_segment.h"

#include <zstd.h>

#include <cstring>

#include "base/crc32c.h"

namespace tarn::wal {

namespace {

// The fastest that still finds most: see docs/benchmarks.md.
constexpr int kLevel = 1;
// No segment is longer: what a damaged length asks for is not allocated.
constexpr uint64_t kMostPlainBytes = kSegmentBytes;

uint32_t crc_of(std::string_view file) {
    constexpr size_t kAt = offsetof(CompressedHeader, crc);
    constexpr size_t kBehind = kAt + sizeof(CompressedHeader::crc);
    constexpr uint32_t kZero = 0;
    uint32_t crc = crc32c(0, file.data(), kAt);
    crc = crc32c(crc, &kZero, sizeof kZero);
    return crc32c(crc, file.data() + kBehind, file.size() - kBehind);
}

// Why it cannot be that segment's; null if it can.
const char* complaint(const CompressedHeader& header, std::string_view file, SegmentId segment) {
    if (header.magic != kCompressedMagic) return "it does not begin as compressed WAL does";
    if (header.version != kCompressedVersion) return "its version is not known";
    if (header.total_bytes != file.size()) return "it has another length than it says";
    if (header.crc != crc_of(file)) return "its checksum does not match";
    if (header.tli != segment.tli || header.number != segment.number)
        return "it is of another segment";
    if (header.plain_bytes > kMostPlainBytes) return "it holds more than a segment";
    return nullptr;
}

Error damaged(const std::string& path, std::string_view why) {
    return error(Code::data_loss, "read compressed WAL {}: {}", path, why)
        .with_hint("bring the file back from a copy; `tarn verify` says which moments need it");
}

}  // namespace

Result<std::string> compress_segment(SegmentId segment, std::string_view plain) {
    if (plain.size() > kMostPlainBytes)
        return error(Code::invalid_argument, "compress WAL segment {}: it has {} bytes",
                     segment_name(segment), plain.size());
    std::string file(sizeof(CompressedHeader) + ZSTD_compressBound(plain.size()), '\0');
    size_t size =
        ZSTD_compress(file.data() + sizeof(CompressedHeader),
                      file.size() - sizeof(CompressedHeader), plain.data(), plain.size(), kLevel);
    if (ZSTD_isError(size))
        return error(Code::internal, "compress WAL segment {}: {}", segment_name(segment),
                     ZSTD_getErrorName(size));
    file.resize(sizeof(CompressedHeader) + size);
    CompressedHeader header{.magic = kCompressedMagic,
                            .version = kCompressedVersion,
                            .crc = 0,
                            .total_bytes = file.size(),
                            .number = segment.number,
                            .tli = segment.tli,
                            .plain_crc = crc32c(0, plain.data(), plain.size()),
                            .plain_bytes = plain.size()};
    std::memcpy(file.data(), &header, sizeof header);
    header.crc = crc_of(file);
    std::memcpy(file.data(), &header, sizeof header);
    return file;
}

Result<std::string> decompress_segment(SegmentId segment, std::string_view file,
                                       const std::string& path) {
    CompressedHeader header;
    if (file.size() < sizeof header) return damaged(path, "it is shorter than its header");
    std::memcpy(&header, file.data(), sizeof header);
    if (const char* why = complaint(header, file, segment)) return damaged(path, why);
    std::string plain(header.plain_bytes, '\0');
    size_t size = ZSTD_decompress(plain.data(), plain.size(), file.data() + sizeof header,
                                  file.size() - sizeof header);
    if (ZSTD_isError(size)) return damaged(path, ZSTD_getErrorName(size));
    if (size != plain.size() || crc32c(0, plain.data(), plain.size()) != header.plain_crc)
        return damaged(path, "what it holds is not what it was made of");
    return plain;
}

}  // namespace tarn::wal
