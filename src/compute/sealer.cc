#include "compute/sealer.h"

#include "base/time.h"
#include "compute/pgdata.h"
#include "shim/protocol.h"
#include "sys/clock.h"

namespace tarn::compute {

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
    if (opening.point.attachments.contains(restore_point_key::replay_us))
        sealer.replay_us_ =
            TRY(number_attachment(opening.point.attachments, restore_point_key::replay_us));
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
    uint64_t replay_ns = shim::replay_estimate(map_.header()).total.load();
    point.attachments[restore_point_key::replay_us] = std::to_string(replay_us_ + replay_ns / 1000);
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
    return true;
}

}  // namespace tarn::compute
