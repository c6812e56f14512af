#include "compute/birth.h"

#include <chrono>

#include "compute/attachments.h"
#include "compute/history.h"
#include "compute/layout.h"
#include "compute/lost_records.h"
#include "compute/opening.h"
#include "store/paths.h"
#include "sys/clock.h"
#include "sys/randomness.h"
#include "wal/wal_carry.h"

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

// The first incarnation of a new lineage, ready to be started.
Result<void> prepare(store::Store& store, uint64_t lineage, const MomentSource& source,
                     uint64_t new_identifier, bool as_it_is) {
    auto log = TRY(store.begin_incarnation(lineage));
    const auto& checkpoint = source.control.file.checkpoint_copy;
    TRY(wal::carry(store.disk(), source.files,
                   incarnation_path(store, log) + "/" + store::kWalDirectory,
                   {.from = checkpoint.redo,
                    .tli = checkpoint.tli,
                    .end = source.end.end,
                    .system_identifier = new_identifier}));
    TRY(write_clean_marker(store, log, {}));
    return store.finish_incarnation(
        {.log = log,
         .base = source.point.id,
         .attachments = {{incarnation_key::wal_end, source.end.end.text()},
                         {incarnation_key::begun, rfc3339(source.time)},
                         {incarnation_key::recovery, as_it_is ? "none" : "archive"}}});
}

Result<void> make_record(store::Store& store, uint64_t lineage, const MomentSource& source,
                         uint64_t identifier, std::optional<uint64_t> parent) {
    TRY(remove_attempt(store, lineage));
    store::LineageRecord record{
        .lineage = lineage,
        .parent = source.point.id,
        .attachments = {{lineage_key::system_identifier, std::to_string(identifier)},
                        {lineage_key::pg_major, std::to_string(source.control.file.major)}}};
    if (parent) record.attachments[lineage_key::parent] = std::to_string(*parent);
    return store.create_lineage(record);
}

}  // namespace

Result<void> make_root(store::Store& store, uint64_t lineage, uint64_t from) {
    auto source = TRY(find_moment(store, from, Newest{}));
    uint64_t identifier = new_system_identifier();
    TRY(make_record(store, lineage, source, identifier, std::nullopt));
    return prepare(store, lineage, source, identifier, true);
}

Result<BranchPoint> make_branch(store::Store& store, uint64_t lineage, uint64_t parent,
                                const Moment& moment) {
    auto source = TRY(find_moment(store, parent, moment));
    auto record = TRY(store.lineage(parent));
    auto identifier = TRY(number_attachment(record.attachments, lineage_key::system_identifier));
    TRY(make_record(store, lineage, source, identifier, source.lineage));
    // The identifier is written even so: the parent may be a root whose WAL is still the
    // template's.
    TRY(prepare(store, lineage, source, identifier, false));
    return BranchPoint{source.end.end, source.time};
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
