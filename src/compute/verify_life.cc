#include "compute/verify_life.h"

#include <algorithm>

#include "compute/layout.h"
#include "compute/opening.h"
#include "pg/twophase_file.h"
#include "store/verify.h"

namespace tarn::compute {

namespace {

constexpr int kAttempts = 3;

// As far as the WAL must reach, and where it need not be read any further.
struct Bounds {
    Lsn least;
    Lsn most = kNoLimit;
};

Result<Bounds> bounds_of(const store::Store& store, CheckedLife& life) {
    Bounds bounds{life.life.begin, kNoLimit};
    for (const Beginning& each : life.beginnings)
        if (each.readable) bounds.least = std::max(bounds.least, each.consistent);
    if (!life.end_known) return bounds;
    if (!life.life.is_newest()) return Bounds{life.life.end, life.life.end};
    // A new one may have begun since the records were read.
    for (uint32_t number : TRY(store.incarnations(life.life.log.lineage))) {
        if (number <= life.life.log.incarnation) continue;
        auto record = TRY(store.incarnation({life.life.log.lineage, number}));
        Lsn end = TRY(lsn_attachment(record.attachments, incarnation_key::wal_end));
        return Bounds{end, end};
    }
    auto durable = durable_of(store, life.life.log);
    // Of one that is starting only what its restore points need is known to be there.
    if (!durable && durable.error().code() == Code::unavailable)
        return Bounds{bounds.least, bounds.least};
    // A map that this user cannot open says nothing about the WAL.
    if (!durable && durable.error().code() == Code::permission_denied) return bounds;
    Durable known = TRY(std::move(durable));
    return Bounds{std::max(bounds.least, known.least), known.most};
}

}  // namespace

const Beginning* CheckedLife::next(size_t at) const {
    for (++at; at < beginnings.size(); ++at)
        if (beginnings[at].readable) return &beginnings[at];
    return nullptr;
}

MomentRange CheckedLife::moments_of(size_t at) const {
    MomentRange range;
    range.from = beginnings[at].lsn;
    range.from_time = beginnings[at].time;
    if (const Beginning* follower = next(at)) {
        range.before = follower->lsn;
        range.before_time = follower->time;
    } else if (end_known && !life.is_newest()) {
        range.before = life.end;
        range.before_time = end_time;
    }
    return range;
}

MomentRange moments_behind(const CheckedLife& life, const Beginning& begin, const Stretch& stretch,
                           size_t next) {
    MomentRange range;
    range.from = stretch.end.end;
    range.from_time = stretch.end.last_transaction;
    range.after = true;
    if (Lsn first = std::max(begin.lsn, begin.consistent); range.from < first) {
        range.from = begin.lsn;
        range.from_time = begin.time;
        range.after = false;
    }
    if (next < life.beginnings.size()) {
        range.before = life.beginnings[next].lsn;
        range.before_time = life.beginnings[next].time;
    } else if (life.end_known && !life.life.is_newest()) {
        range.before = life.life.end;
        range.before_time = life.end_time;
    }
    return range;
}

Result<void> describe(const store::RestorePoint& point, bool own, Beginning& beginning) {
    auto control = TRY(control_of(point));
    beginning.consistent = TRY(consistent_lsn(point));
    Time taken = TRY(taken_at(point));
    TRY(number_attachment(point.attachments, restore_point_key::tli));
    const std::string twophase = std::string(restore_point_key::file_prefix) + "pg_twophase/";
    for (const auto& [name, bytes] : point.attachments)
        if (name.starts_with(twophase) && !pg::is_whole_twophase_file(bytes))
            return error(Code::data_loss, "restore point {}: small file {} is not whole",
                         text_of(point.id),
                         name.substr(std::string_view(restore_point_key::file_prefix).size()));
    if (own) {
        beginning.lsn = beginning.consistent;
        beginning.time = taken;
    }
    beginning.redo = control.file.checkpoint_copy.redo;
    beginning.tli = control.file.checkpoint_copy.tli;
    beginning.major = control.file.major;
    beginning.readable = true;
    return {};
}

Result<Stretch> read_stretch(const store::Store& store, CheckedLife& life, const Beginning& from,
                             uint64_t system_identifier,
                             const std::function<Result<void>()>& go_on) {
    for (int attempt = 1;; ++attempt) {
        Bounds bounds = TRY(bounds_of(store, life));
        auto files = TRY(wal::WalFiles::list(store.disk(), incarnation_path(store, life.life.log)));
        auto reading = wal::read_wal(files, {.from = from.redo,
                                             .tli = from.tli,
                                             .limit = bounds.most,
                                             .major = from.major,
                                             .system_identifier = system_identifier,
                                             .go_on = go_on});
        Stretch stretch{from.redo, std::move(reading.end), std::move(reading.broken)};
        if (!stretch.broken && stretch.end.end < bounds.least)
            stretch.broken =
                error(Code::data_loss, "WAL ends at {} ({}), before {}", stretch.end.end.text(),
                      stretch.end.stopped_by, bounds.least.text());
        if (stretch.broken && !store::is_damage(*stretch.broken)) return *stretch.broken;
        // A compute that has started meanwhile may have written where this had read.
        bool moving = life.end_known && life.life.is_newest() && attempt < kAttempts;
        if (!stretch.broken || !moving) return stretch;
    }
}

// What is wrong may lie in a later segment than the last whole record: there the next one goes on.
Damage wal_damage(const store::Store& store, const CheckedLife& life, const Stretch& stretch) {
    const wal::WalEnd& end = stretch.end;
    Damage damage;
    damage.what =
        fmt::format("WAL of incarnation {} after {}", life.life.log.incarnation, end.end.text());
    damage.why = stretch.broken->message();
    damage.file = incarnation_path(store, life.life.log);
    auto files = wal::WalFiles::list(store.disk(), damage.file);
    auto timelines = files ? files->timelines_from(end.tli) : files.error();
    if (!timelines) return damage;
    uint64_t first = end.wrong_from.value / wal::kSegmentBytes;
    uint64_t last = std::max(end.wrong_to.value, end.wrong_from.value + 1) - 1;
    last /= wal::kSegmentBytes;
    if (last > first)
        damage.why += fmt::format("; the record goes on to {}, and may be damaged up to there",
                                  wal::segment_name({end.tli, last}));
    const wal::SegmentId* segment = files->choose(*timelines, first);
    if (!segment) {
        damage.why += fmt::format("; there is no segment {}", wal::segment_name({end.tli, first}));
        return damage;
    }
    damage.file = files->segments().at(*segment);
    if (!wal::is_compressed_name(damage.file))
        damage.offset = end.wrong_from.value % wal::kSegmentBytes;
    return damage;
}

}  // namespace tarn::compute
