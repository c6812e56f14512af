#include "store/restore_point.h"

#include <algorithm>

#include "store/codec.h"
#include "store/log_state.h"
#include "store/paths.h"
#include "store/restore_point_format.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

constexpr const char* kWhat = "restore point";

// What the readers of a restore point rest on; whoever breaks it must not save, nor be believed.
Result<void> check(const RestorePoint& point) {
    if (point.id.number == 0) return error(Code::data_loss, "{} without a number", kWhat);
    if (point.indexes.size() > kMaxIndexes)
        return error(Code::quota_exceeded, "{} names {} indexes, {} are allowed", kWhat,
                     point.indexes.size(), kMaxIndexes);
    for (size_t i = 0; i < point.holes.size(); ++i)
        if (point.holes[i] >= point.seal_slot || (i > 0 && point.holes[i] <= point.holes[i - 1]))
            return error(Code::data_loss, "{}: hole {} is out of order or above its seal", kWhat,
                         point.holes[i]);
    for (size_t i = 0; i < point.files.size(); ++i) {
        const FileRecord& file = point.files[i];
        if (i > 0 && !(point.files[i - 1].id < file.id))
            return error(Code::data_loss, "{}: files are out of order", kWhat);
        if (file.birth == 0 || file.birth >= point.next_birth || file.length > kMaxBlocks)
            return error(Code::data_loss, "{}: file {:x}-{:x} has birth {} (next {}) and length {}",
                         kWhat, file.id.hi, file.id.lo, file.birth, point.next_birth, file.length);
    }
    return {};
}

bool take_body(Decoder& decoder, const RestorePointHeader& header, RestorePoint& point) {
    if (!decoder.holds(header.hole_count, sizeof(uint64_t))) return false;
    point.holes.resize(header.hole_count);
    for (uint64_t& hole : point.holes)
        if (!decoder.take(hole)) return false;
    if (!decoder.holds(header.index_count, sizeof(IndexRef))) return false;
    point.indexes.resize(header.index_count);
    for (IndexRef& index : point.indexes)
        if (!decoder.take(index)) return false;
    if (!decoder.holds(header.file_count, sizeof(FileRecordBytes))) return false;
    point.files.reserve(header.file_count);
    for (uint64_t i = 0; i < header.file_count; ++i) {
        FileRecordBytes file;
        if (!decoder.take(file) || file.reserved != 0) return false;
        point.files.push_back({{file.id_hi, file.id_lo}, file.birth, file.length});
    }
    return decoder.take(header.attachment_count, point.attachments) && decoder.at_end();
}

}  // namespace

const FileRecord* find_file(const std::vector<FileRecord>& files, FileId id) {
    auto found = std::lower_bound(
        files.begin(), files.end(), id,
        [](const FileRecord& each, const FileId& wanted) { return each.id < wanted; });
    return found != files.end() && found->id == id ? &*found : nullptr;
}

std::string encode(const RestorePoint& point) {
    Encoder encoder;
    encoder.put(RestorePointHeader{
        .prefix = record_prefix(kRestorePointMagic, kRestorePointVersion),
        .lineage = point.id.log.lineage,
        .incarnation = point.id.log.incarnation,
        .number = point.id.number,
        .seal_slot = point.seal_slot,
        .next_birth = point.next_birth,
        .hole_count = point.holes.size(),
        .file_count = point.files.size(),
        .index_count = static_cast<uint32_t>(point.indexes.size()),
        .attachment_count = static_cast<uint32_t>(point.attachments.size()),
    });
    for (uint64_t hole : point.holes) encoder.put(hole);
    for (const IndexRef& index : point.indexes) encoder.put(index);
    for (const FileRecord& file : point.files)
        encoder.put(FileRecordBytes{file.id.hi, file.id.lo, file.birth, file.length, 0});
    encoder.put(point.attachments);
    return encoder.finish();
}

Result<RestorePoint> decode_restore_point(std::string_view bytes) {
    Decoder decoder(bytes);
    TRY(decoder.open(kRestorePointMagic, kRestorePointVersion, kWhat));
    RestorePointHeader header;
    RestorePoint point;
    if (!decoder.take(header)) return error(Code::data_loss, "{} without a whole header", kWhat);
    point.id = {{header.lineage, header.incarnation}, header.number};
    point.seal_slot = header.seal_slot;
    point.next_birth = header.next_birth;
    if (!take_body(decoder, header, point))
        return error(Code::data_loss, "{} whose parts do not fit its length", kWhat);
    TRY(check(point));
    return point;
}

Result<void> save(sys::Disk& disk, const char* root, const RestorePoint& point) {
    Path path = restore_point_path(root, point.id.log, point.id.number);
    if (auto checked = check(point); !checked)
        return error(Code::internal, "save {}: {}", path.text, checked.error().message());
    TRY_CTX(create_beside_log(disk, root, point.id.log, path.text, encode(point),
                              sys::SyncSite::restore_point_data,
                              sys::SyncSite::restore_point_directory),
            "save restore point {}", point.id.number);
    return {};
}

Result<RestorePoint> load_restore_point(sys::Disk& disk, const char* root,
                                        const RestorePointId& id) {
    Path path = restore_point_path(root, id.log, id.number);
    std::string bytes = TRY_CTX(sys::read_file(disk, path.text), "load restore point");
    RestorePoint point =
        TRY_CTX(decode_restore_point(bytes), "load restore point from {}", path.text);
    if (point.id != id)
        return error(Code::data_loss, "load restore point from {}: it names itself {:016x}/{}/{}",
                     path.text, point.id.log.lineage, point.id.log.incarnation, point.id.number);
    return point;
}

}  // namespace tarn::store
