#include "compute/lives.h"

#include "base/log.h"
#include "compute/attachments.h"
#include "compute/fence.h"
#include "compute/layout.h"
#include "compute/lost_records.h"
#include "compute/opening.h"

namespace tarn::compute {

Result<std::vector<Life>> lives_of(const store::Store& store, uint64_t lineage) {
    std::vector<Life> lives;
    auto numbers = TRY(store.incarnations(lineage));
    TRY(check_newest_is_known(store, lineage, numbers));
    for (uint32_t number : numbers) {
        auto record = TRY(store.incarnation({lineage, number}));
        Life life;
        life.log = record.log;
        life.base = record.base;
        life.begin = TRY(lsn_attachment(record.attachments, incarnation_key::wal_end));
        life.begun = TRY(time_attachment(record.attachments, incarnation_key::begun));
        if (!lives.empty()) lives.back().end = life.begin;
        lives.push_back(life);
    }
    if (lives.empty())
        return error(Code::not_found, "there is no lineage {}", lineage_text(lineage));
    return lives;
}

Result<std::optional<uint64_t>> parent_of(const store::Store& store, uint64_t lineage) {
    auto record = TRY(store.lineage(lineage));
    if (!record.attachments.contains(lineage_key::parent)) return std::optional<uint64_t>();
    return std::optional(TRY(number_attachment(record.attachments, lineage_key::parent)));
}

Result<Durable> durable_of(const store::Store& store, store::LogId newest) {
    bool runs = is_held(lineage_lock_path(store.root(), newest.lineage));
    Lsn known = TRY(known_durable(store, newest));
    if (runs && !known.valid())
        return error(Code::unavailable, "the compute of lineage {} is starting",
                     lineage_text(newest.lineage))
            .with_hint("try again in a moment");
    return Durable{known, runs ? known : kNoLimit};
}

Result<Lsn> consistent_lsn(const store::RestorePoint& point) {
    return lsn_attachment(point.attachments, restore_point_key::consistent_lsn);
}

Result<Time> taken_at(const store::RestorePoint& point) {
    return time_attachment(point.attachments, restore_point_key::taken);
}

uint64_t bytes_of_files(const store::RestorePoint& point) {
    uint64_t blocks = 0;
    for (const store::FileRecord& file : point.files) blocks += file.length;
    return blocks * store::kBlockBytes;
}

namespace {

Result<bool> is_before(const store::Store& store, const store::RestorePointId& id,
                       const Place& place) {
    auto point = store.restore_point(id);
    if (!point) {
        log::warn("compute: restore point {}: {}", text_of(id), point.error().text());
        return false;
    }
    Lsn consistent = TRY(consistent_lsn(*point));
    if (place.lsn) return consistent <= *place.lsn;
    return TRY(taken_at(*point)) <= *place.time && consistent <= place.limit;
}

}  // namespace

Result<size_t> count_before(const store::Store& store, store::LogId log,
                            const std::vector<uint32_t>& numbers, const Place& place) {
    size_t low = 0;
    for (size_t high = numbers.size(); low < high;) {
        size_t middle = (low + high) / 2;
        bool before = TRY(is_before(store, {log, numbers[middle]}, place));
        (before ? low : high) = before ? middle + 1 : middle;
    }
    return low;
}

}  // namespace tarn::compute
