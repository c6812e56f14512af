// restore_point.h: everything needed to open a lineage as it was at a seal
// (docs/formats/restore-point.md).
#pragma once

#include <compare>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/page_map.h"
#include "sys/disk.h"

namespace tarn::store {

// Names a restore point.
struct RestorePointId {
    LogId log;
    uint32_t number = 0;
    bool operator==(const RestorePointId&) const = default;
    auto operator<=>(const RestorePointId&) const = default;
};

struct FileRecord {
    FileId id;
    uint64_t birth = 0;
    uint32_t length = 0;  // blocks
};

// Null if it is not among them, which are sorted by id.
const FileRecord* find_file(const std::vector<FileRecord>& files, FileId id);

struct RestorePoint {
    RestorePointId id;
    uint64_t seal_slot = 0;   // slots of id.log below it belong to the seal
    uint64_t next_birth = 1;  // births of later files begin here
    std::vector<uint64_t>
        holes;  // slots below seal_slot that were not written yet when it was taken
    std::vector<IndexRef> indexes;                   // newest first, the ancestors' included
    std::vector<FileRecord> files;                   // sorted by id
    std::map<std::string, std::string> attachments;  // opaque: control file, small files, positions
};

std::string encode(const RestorePoint& point);
// data_loss when the bytes are not a whole restore point.
Result<RestorePoint> decode_restore_point(std::string_view bytes);

// Writes it durably under its own name.
Result<void> save(sys::Disk& disk, const char* root, const RestorePoint& point);
Result<RestorePoint> load_restore_point(sys::Disk& disk, const char* root,
                                        const RestorePointId& id);

}  // namespace tarn::store
