#include "shim/control_file.h"

#include <cerrno>
#include <cstring>

#include "pg/control_image.h"
#include "shim/state.h"

namespace tarn::shim {

namespace {

// A checkpoint of a primary. Restartpoints of recovery are no seals: what they rest on may be the
// history of another timeline, and the base restore point is still there.
bool is_seal(const pg::ControlCheckpoint& control) {
    return control.checkpoint != map().last_checkpoint &&
           (control.state == pg::ClusterState::in_production ||
            control.state == pg::ClusterState::shutting_down ||
            control.state == pg::ClusterState::shut_down);
}

}  // namespace

int64_t read_control(Handle*, void* data, size_t size, int64_t offset) {
    static store::ControlBuffer
        copy;  // too large for a stack; PostgreSQL's processes have one thread
    if (offset < 0) return -EINVAL;
    if (offset >= static_cast<int64_t>(store::kControlBytes)) return 0;
    size_t left = store::kControlBytes - static_cast<size_t>(offset);
    if (size > left) size = left;
    log().map().read_control(&copy);
    std::memcpy(data, copy.image + offset, size);
    return static_cast<int64_t>(size);
}

int64_t write_control(Handle*, const void* data, size_t size, int64_t offset) {
    pg::ControlCheckpoint control;
    if (offset != 0 || !pg::control_checkpoint(data, size, &control)) {
        report("refuses a write that is no control file:", "global/pg_control", EIO);
        return -EIO;
    }
    if (int result = log().check_live(); result < 0) return result;
    if (is_seal(control)) {
        // The checkpoint's record is in synced WAL by now. If the tracker has not seen it, no
        // restore point could say how far its WAL must reach.
        if (map().flushed_position.load(std::memory_order_acquire) <= control.checkpoint) {
            report("has not seen the checkpoint's record in synced WAL:", "global/pg_control", EIO);
            return -EIO;
        }
        if (int result = log().seal(data, size, control.checkpoint); result < 0) {
            report("cannot seal the log for", "global/pg_control", -result);
            return result;
        }
        ring();
    } else {
        log().map().write_control(data, size, false, 0);
    }
    return static_cast<int64_t>(size);
}

}  // namespace tarn::shim
