#include "pg/control_image.h"

#include "base/bytes.h"
#include "base/crc32c.h"

namespace tarn::pg {

int control_major(uint32_t control_version) {
    switch (control_version) {
        case 1300:
            return 16;
        case 1700:
            return 17;
        case 1800:
            return 18;
        default:
            return 0;
    }
}

size_t control_crc_offset(uint32_t control_version) {
    switch (control_version) {
        case 1300:
            return control_offset::crc_1300;
        case 1700:
            return control_offset::crc_1700;
        case 1800:
            return control_offset::crc_1800;
        default:
            return 0;
    }
}

bool control_checkpoint(const void* image, size_t size, ControlCheckpoint* out) {
    if (size < kControlFileSize) return false;
    auto version = load<uint32_t>(image, control_offset::version);
    size_t crc_offset = control_crc_offset(version);
    if (crc_offset == 0 || load<uint32_t>(image, crc_offset) != crc32c(0, image, crc_offset))
        return false;
    constexpr size_t kCopy = control_offset::checkpoint_copy;
    out->major = control_major(version);
    out->state = static_cast<ClusterState>(load<uint32_t>(image, control_offset::state));
    out->system_identifier = load<uint64_t>(image, control_offset::system_identifier);
    out->checkpoint = load<uint64_t>(image, control_offset::checkpoint);
    out->redo = load<uint64_t>(image, kCopy + checkpoint_offset::redo);
    out->tli = load<uint32_t>(image, kCopy + checkpoint_offset::tli);
    out->min_recovery_point = load<uint64_t>(image, control_offset::min_recovery_point);
    out->wal_segment_size = load<uint32_t>(image, control_offset::wal_segment_size);
    return true;
}

}  // namespace tarn::pg
