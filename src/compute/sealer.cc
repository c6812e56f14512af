#include "compute/sealer.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/log.h"
#include "base/time.h"
#include "compute/pgdata.h"
#include "store/paths.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "wal/wal_carry.h"
#include "wal/wal_files.h"

namespace tarn::compute {

std::optional<sys::Descriptor> hold_history(const store::Store& store, uint64_t lineage,
                                            bool exclusive) {
    std::string path =
        std::string(store::lineage_directory(store.root().c_str(), lineage).text) + "/history.lock";
    sys::Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.is_open() || ::flock(fd.fd(), exclusive ? LOCK_EX | LOCK_NB : LOCK_SH) != 0)
        return std::nullopt;
    return fd;
}

Sealer::Sealer(const store::Store& store, store::LogId log, std::string pgdata,
               store::MappedMap mapped)
    : store_(&store),
      log_(log),
      pgdata_(std::move(pgdata)),
      mapped_(std::move(mapped)),
      map_(mapped_.map()) {}

Result<Sealer> Sealer::begin(const store::Store& store, const Opening& opening,
                             std::string pgdata) {
    auto mapped = TRY(store::MappedMap::open(store.root(), opening.log));
    Sealer sealer(store, opening.log, std::move(pgdata), std::move(mapped));
    if (opening.own_point)
        sealer.newest_ = opening.point;
    else
        sealer.base_ = opening.point;
    sealer.redo_before_ = TRY(control_of(opening.point)).file.checkpoint_copy.redo;
    store::ControlBuffer control;
    sealer.map_.read_control(&control);
    sealer.taken_ = control.seal_number;
    return sealer;
}

Result<store::RestorePoint> Sealer::collect(const store::ControlBuffer& control, bool shut_down) {
    const store::RestorePoint* previous = newest_ ? &*newest_ : nullptr;
    auto point =
        TRY(store_->index_seal(log_, previous, previous ? nullptr : &base_, control.seal_slot));
    point.attachments = TRY(small_files(pgdata_, shut_down));
    store::add_live_files(point, map_);
    // Last of all: nothing above is younger than this.
    uint64_t flushed = map_.header().flushed_position.load();
    uint32_t tli = map_.header().flushed_epoch.load();
    point.attachments[restore_point_key::consistent_lsn] = Lsn{flushed}.text();
    point.attachments[restore_point_key::tli] = std::to_string(tli);
    point.attachments[restore_point_key::control] =
        std::string(reinterpret_cast<const char*>(control.image), sizeof control.image);
    point.attachments[restore_point_key::taken] = rfc3339(sys::real_clock().now());
    return point;
}

Result<bool> Sealer::take(bool shut_down) {
    store::ControlBuffer control;
    map_.read_control(&control);
    if (control.seal_number == taken_) return false;
    auto file =
        TRY(pg::decode_control_file(std::as_bytes(std::span(control.image, sizeof control.image))));
    // The end of everything waits until PostgreSQL has written its last file.
    if (file.state == pg::ClusterState::shut_down && !shut_down) return false;
    bool clean = file.state == pg::ClusterState::shut_down;
    auto point = TRY(collect(control, clean));
    TRY(store::save(store_->disk(), store_->root().c_str(), point));
    taken_ = control.seal_number;
    newest_ = std::move(point);
    shut_down_ = clean;
    auto cleaned = clean_up();
    if (!cleaned) log::warn("compute: history not cleaned up: {}", cleaned.error().text());
    redo_before_ = file.checkpoint_copy.redo;
    return true;
}

// The newest two restore points stay, with the WAL they need; WAL of earlier incarnations is needed
// by nobody once this one has a restore point of its own.
Result<void> Sealer::clean_up() {
    auto held = hold_history(*store_, log_.lineage, true);
    if (!held) return {};
    TRY(wal::trim_archive(store_->disk(), incarnation_path(*store_, log_), redo_before_));
    for (uint32_t number : TRY(store_->incarnations(log_.lineage))) {
        if (number >= log_.incarnation) continue;
        auto directory = incarnation_path(*store_, {log_.lineage, number});
        TRY(sys::remove_tree(sys::real_disk(), directory + "/" + store::kWalDirectory));
        TRY(sys::remove_tree(sys::real_disk(), directory + "/" + store::kWalArchiveDirectory));
    }
    return store_->collect_garbage(log_.lineage);
}

}  // namespace tarn::compute
