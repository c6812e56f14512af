#include "wal/compressed_segment.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/crc32c.h"

namespace tarn::wal {

namespace {

// The fastest that still finds most: see docs/benchmarks.md.
constexpr int kLevel = 1;
constexpr size_t kPartBytes = 1 << 20;
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

namespace {

struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

// Fills `output` with a zstd frame, a part of `plain` at a time; false if it is not to go on.
Result<bool> compress_parts(std::string_view plain, ZSTD_outBuffer& output,
                            const std::function<bool()>& go_on) {
    std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
    if (!context) return error(Code::internal, "zstd has no memory");
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setPledgedSrcSize(context.get(), plain.size());
    ZSTD_inBuffer input{plain.data(), 0, 0};
    for (size_t left = 1; left != 0;) {
        if (!go_on()) return false;
        input.size = std::min(plain.size(), input.pos + kPartBytes);
        bool last = input.size == plain.size();
        left = ZSTD_compressStream2(context.get(), &output, &input,
                                    last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) return error(Code::internal, "{}", ZSTD_getErrorName(left));
        if (output.pos == output.size) return error(Code::internal, "its frame is too long");
        if (!last) left = 1;
    }
    return true;
}

}  // namespace

Result<std::optional<std::string>> compress_segment(SegmentId segment, std::string_view plain,
                                                    const std::function<bool()>& go_on) {
    if (plain.size() > kMostPlainBytes)
        return error(Code::invalid_argument, "compress WAL segment {}: it has {} bytes",
                     segment_name(segment), plain.size());
    // What a frame made in parts may take more than one made in one go is next to nothing.
    std::string file(sizeof(CompressedHeader) + ZSTD_compressBound(plain.size()) + 4096, '\0');
    ZSTD_outBuffer output{file.data(), file.size(), sizeof(CompressedHeader)};
    bool done = TRY_CTX(compress_parts(plain, output, go_on), "compress WAL segment {}",
                        segment_name(segment));
    if (!done) return std::optional<std::string>();
    file.resize(output.pos);
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
    return std::optional(std::move(file));
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
