#include "compute/birth.h"

#include <chrono>

#include "compute/attachments.h"
#include "compute/fence.h"
#include "compute/layout.h"
#include "compute/opening.h"
#include "compute/sealer.h"
#include "store/paths.h"
#include "sys/clock.h"
#include "sys/randomness.h"
#include "wal/wal_carry.h"
#include "wal/wal_end.h"
#include "wal/wal_files.h"

namespace tarn::compute {

bool is_made(const store::Store& store, uint64_t lineage) {
    auto incarnations = store.incarnations(lineage);
    return incarnations && !incarnations->empty();
}

namespace {

// The time of birth above, chance below: like PostgreSQL's own, and never the same twice.
uint64_t new_system_identifier() {
    uint32_t chance = 0;
    sys::real_random().fill(&chance, sizeof chance);
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
        sys::real_clock().now().time_since_epoch());
    return static_cast<uint64_t>(seconds.count()) << 32 | chance;
}

// What a new lineage begins from.
struct Origin {
    store::RestorePoint point;
    PointControl control;
    wal::WalFiles files;
    wal::WalEnd end;
};

// The newest moment of a lineage: its newest restore point, and how far its WAL is durable and
// whole.
Result<Origin> newest_moment(const store::Store& store, uint64_t lineage) {
    auto incarnations = TRY(store.incarnations(lineage));
    if (incarnations.empty())
        return error(Code::not_found, "there is no lineage {}", lineage_text(lineage));
    store::LogId log{lineage, incarnations.back()};
    // In this order: restore points and flush positions only grow, so the position read last is at
    // or behind what the restore point needs.
    auto point = TRY(store.newest_restore_point(lineage));
    auto control = TRY(control_of(point));
    auto record = TRY(store.lineage(lineage));
    // While a compute writes, its map says how much of the WAL counts. One that nobody uses may be
    // an older one, come back with a power cut: then all of the WAL counts, and at least that much.
    bool runs = is_held(lineage_lock_path(store.root(), lineage));
    auto durable = TRY(known_durable(store, log));
    if (runs && !durable.valid())
        return error(Code::unavailable, "the compute of lineage {} is starting",
                     lineage_text(lineage))
            .with_hint("try again in a moment");
    auto files = TRY(wal::WalFiles::list(store.disk(), incarnation_path(store, log)));
    auto identifier = TRY(number_attachment(record.attachments, lineage_key::system_identifier));
    auto end = TRY(wal::find_end(files, {.from = control.file.checkpoint_copy.redo,
                                         .tli = control.file.checkpoint_copy.tli,
                                         .limit = runs ? durable : Lsn{~uint64_t{0}},
                                         .major = control.file.major,
                                         .system_identifier = identifier}));
    auto consistent = TRY(lsn_attachment(point.attachments, restore_point_key::consistent_lsn));
    Lsn least = std::max(durable, consistent);
    if (end.end < least)
        return error(Code::data_loss, "WAL of lineage {} ends at {} ({}), before {}",
                     lineage_text(lineage), end.end.text(), end.stopped_by, least.text());
    return Origin{std::move(point), control, std::move(files), end};
}

// The first incarnation of a new lineage, ready to be started.
Result<void> prepare(store::Store& store, uint64_t lineage, const Origin& origin,
                     uint64_t new_identifier, bool as_it_is) {
    auto log = TRY(store.begin_incarnation(lineage));
    const auto& checkpoint = origin.control.file.checkpoint_copy;
    TRY(wal::carry(store.disk(), origin.files,
                   incarnation_path(store, log) + "/" + store::kWalDirectory,
                   {.from = checkpoint.redo,
                    .tli = checkpoint.tli,
                    .end = origin.end.end,
                    .system_identifier = new_identifier}));
    TRY(write_clean_marker(store, log, {}));
    return store.finish_incarnation(
        {.log = log,
         .base = origin.point.id,
         .attachments = {{incarnation_key::wal_end, origin.end.end.text()},
                         {incarnation_key::recovery, as_it_is ? "none" : "archive"}}});
}

Result<void> make_record(store::Store& store, uint64_t lineage, const Origin& origin,
                         uint64_t identifier) {
    TRY(store.remove_lineage(lineage));  // of an attempt that was cut short
    return store.create_lineage(
        {.lineage = lineage,
         .parent = origin.point.id,
         .attachments = {{lineage_key::system_identifier, std::to_string(identifier)},
                         {lineage_key::pg_major, std::to_string(origin.control.file.major)}}});
}

}  // namespace

Result<void> make_root(store::Store& store, uint64_t lineage, uint64_t from) {
    auto origin = TRY(newest_moment(store, from));
    uint64_t identifier = new_system_identifier();
    TRY(make_record(store, lineage, origin, identifier));
    return prepare(store, lineage, origin, identifier, true);
}

Result<Lsn> make_branch(store::Store& store, uint64_t lineage, uint64_t parent) {
    auto held = hold_history(store, parent, false);
    if (!held) return error(Code::io_error, "hold the history of lineage {}", lineage_text(parent));
    auto origin = TRY(newest_moment(store, parent));
    auto record = TRY(store.lineage(parent));
    auto identifier = TRY(number_attachment(record.attachments, lineage_key::system_identifier));
    TRY(make_record(store, lineage, origin, identifier));
    // The identifier is written even so: the parent may be a root whose WAL is still the
    // template's.
    TRY(prepare(store, lineage, origin, identifier, false));
    return origin.end.end;
}

Result<uint64_t> replay_distance(const store::Store& store, uint64_t lineage) {
    auto incarnations = TRY(store.incarnations(lineage));
    if (incarnations.empty()) return uint64_t{0};
    auto mapped = TRY(store::MappedMap::open(store.root(), {lineage, incarnations.back()}));
    uint64_t flushed = mapped.map().header().flushed_position.load();
    auto point = TRY(store.newest_restore_point(lineage));
    uint64_t redo = TRY(control_of(point)).file.checkpoint_copy.redo.value;
    return flushed > redo ? flushed - redo : 0;
}

}  // namespace tarn::compute
