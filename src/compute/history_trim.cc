// history_trim.cc: how far back a lineage's history goes, and letting go of what lies before.

#include <algorithm>
#include <set>

#include "base/log.h"
#include "compute/history.h"
#include "compute/layout.h"
#include "compute/lives.h"
#include "compute/lost_records.h"
#include "compute/note_file.h"
#include "compute/opening.h"
#include "store/paths.h"
#include "sys/files.h"
#include "wal/wal_compression.h"
#include "wal/wal_trim.h"

namespace tarn::compute {

namespace {

constexpr NoteKind kKeptFrom = {"tarn kept_from 1", 2, "from where on history is kept"};

std::string lineage_path(const store::Store& store, uint64_t lineage, std::string_view name) {
    return fmt::format("{}/{}", store::lineage_directory(store.root().c_str(), lineage).text, name);
}

std::string archive_path(const store::Store& store, store::LogId log) {
    return incarnation_path(store, log) + "/" + store::kWalArchiveDirectory;
}

}  // namespace

Result<std::optional<KeptFrom>> kept_from(const store::Store& store, uint64_t lineage) {
    std::string path = lineage_path(store, lineage, "kept_from");
    auto note = TRY(read_note(store.disk(), path, kKeptFrom));
    if (!note) return std::optional<KeptFrom>();
    auto from = Lsn::parse(note->at(0));
    auto from_time = parse_rfc3339(note->at(1));
    if (!from || !from_time) return unreadable_note(path, kKeptFrom);
    return std::optional(KeptFrom{*from, *from_time});
}

Result<void> write_kept_from(const store::Store& store, uint64_t lineage, const KeptFrom& from) {
    return write_note(store.disk(), lineage_path(store, lineage, "kept_from"), kKeptFrom,
                      {from.lsn.text(), rfc3339(from.time)});
}

namespace {

// The restore point that the oldest moments to be kept are opened from.
struct Oldest {
    size_t life = 0;
    uint32_t number = 0;  // 0: what the life began from
    store::RestorePoint point;
};

// The newest one taken by then, but never the newest of all: should that be damaged, there is
// another.
Result<std::optional<Oldest>> oldest_needed(const store::Store& store,
                                            const std::vector<Life>& lives, Time time) {
    for (size_t at = lives.size(); at-- > 0;) {
        const Life& life = lives[at];
        auto numbers = TRY(store.restore_points(life.log));
        bool has_own = !numbers.empty();
        if (life.is_newest() && has_own) numbers.pop_back();
        size_t before = TRY(count_before(store, life.log, numbers, {std::nullopt, time, kNoLimit}));
        if (before > 0) {
            uint32_t number = numbers[before - 1];
            return std::optional(Oldest{at, number, TRY(store.restore_point({life.log, number}))});
        }
        if (life.begun <= time && (has_own || !life.is_newest()))
            return std::optional(Oldest{at, 0, TRY(store.restore_point(life.base))});
    }
    return std::optional<Oldest>();
}

Result<KeptFrom> beginning_with(const Oldest& oldest, const Life& life) {
    if (oldest.number == 0) return KeptFrom{life.begin, life.begun};
    return KeptFrom{TRY(consistent_lsn(oldest.point)), TRY(taken_at(oldest.point))};
}

// Removes WAL that neither recovery nor a moment needs: before `redo` in the oldest life that is
// needed, all of the lives before, and what each had written behind the beginning of the next.
Result<void> trim_wal_of(const store::Store& store, const std::vector<Life>& lives,
                         const Oldest& oldest) {
    Lsn redo = TRY(control_of(oldest.point)).file.checkpoint_copy.redo;
    for (size_t at = 0; at < lives.size(); ++at) {
        Lsn needed_from = at < oldest.life ? kNoLimit : at == oldest.life ? redo : Lsn{};
        auto directory = incarnation_path(store, lives[at].log);
        TRY(wal::trim_wal(store.disk(), archive_path(store, lives[at].log), needed_from,
                          lives[at].end));
        // PostgreSQL looks after the WAL of the newest one itself.
        if (!lives[at].is_newest())
            TRY(wal::trim_wal(store.disk(), directory + "/" + store::kWalDirectory, needed_from,
                              lives[at].end));
    }
    return {};
}

Result<HistoryPoint> history_point(const store::RestorePoint& point) {
    HistoryPoint each;
    each.taken = TRY(taken_at(point));
    // One that does not say so has been made by an earlier version of Tarn.
    each.needed = !point.attachments.contains(restore_point_key::replay_us);
    if (!each.needed)
        each.replay = std::chrono::microseconds{static_cast<int64_t>(
            TRY(number_attachment(point.attachments, restore_point_key::replay_us)))};
    return each;
}

Result<MeasuredHistory> measure(const store::Store& store, const store::VersionSpans& spans,
                                Time now) {
    MeasuredHistory history;
    history.ids = spans.points;
    history.stretches = stretches_of(spans);
    history.measured = now;
    for (const store::RestorePointId& id : spans.points) {
        auto point = TRY(store.restore_point(id));
        history.points.push_back(TRY(history_point(point)));
        history.size = bytes_of_files(point);
    }
    return history;
}

// Those that the history can do without; never `oldest`, which the WAL that is kept begins with.
Result<std::set<store::RestorePointId>> too_many(const store::Store& store, uint64_t lineage,
                                                 const store::RestorePointId& oldest,
                                                 const MeasuredHistory& history,
                                                 const HistoryWindow& window,
                                                 const HistoryLimits& limits,
                                                 store::Origins& origins) {
    if (history.ids.size() < 3) return std::set<store::RestorePointId>();
    auto needed = TRY(store.needed_restore_points(lineage, origins));
    std::vector<HistoryPoint> points = history.points;
    for (size_t at = 0; at < points.size(); ++at) {
        points[at].oldest = history.ids[at] == oldest;
        if (needed.contains(history.ids[at])) points[at].needed = true;
    }
    Thinned thinned = thin(points, history.stretches, window, limits, history.size);
    std::set<store::RestorePointId> gone;
    for (size_t at = 0; at < points.size(); ++at)
        if (!thinned.stays[at]) gone.insert(history.ids[at]);
    return gone;
}

// Those whose pages other lineages read.
Result<store::GiveBack::Branched> branched_from(const store::Store& store, uint64_t lineage,
                                                store::Origins& origins) {
    TRY(origins.look(store));
    store::GiveBack::Branched branched;
    for (const auto& [id, by] : TRY(origins.named_of(lineage)))
        if (by.size() > 1 || !by.contains(lineage)) branched.insert(id);
    return branched;
}

// Answers how many pages were packed: none while somebody copies the lineage's files.
Result<uint64_t> give_back(const store::Store& store, uint64_t lineage,
                           const store::VersionSpans& spans, const HistoryLimits& limits, Time now,
                           store::Origins& origins, HistoryRounds& rounds) {
    std::optional<sys::Descriptor> alone;
    std::optional<store::GiveBack::Branched> branched;
    auto look = [&]() -> Result<void> {
        if (limits.packs) alone = TRY(take_packing(store, lineage));
        if (alone) branched = TRY(branched_from(store, lineage, origins));
        return {};
    };
    auto looked = look();
    // Where nobody can say what branches read nothing is packed; what nobody shows goes all the
    // same.
    auto packed = rounds.give_back.run(store, lineage, spans, branched,
                                       limits.waits ? std::optional(now) : std::nullopt);
    if (!looked.ok()) return std::move(looked).error();
    return packed;
}

// Restore points that age thins, when nothing else happens.
constexpr std::chrono::minutes kThinAgain{10};

// Nothing has happened since the last round that this one could act upon.
Result<bool> is_settled(const store::Store& store, uint64_t lineage, Time now,
                        const HistoryLimits& limits, const HistoryRounds& rounds) {
    auto due = rounds.give_back.due();
    return now < rounds.thinned + kThinAgain && (!due || now < *due) && limits == rounds.limits &&
           TRY(store.restore_points(lineage)) == rounds.points;
}

// Thins and gives back. Restore points may be made meanwhile, and branches of those there are: so
// it only keeps them waiting while files are removed.
Result<void> make_room(const store::Store& store, uint64_t lineage,
                       const store::RestorePointId& oldest, const HistoryWindow& window,
                       const HistoryLimits& limits, store::Origins& origins,
                       HistoryRounds& rounds) {
    if (TRY(is_settled(store, lineage, window.now, limits, rounds))) {
        rounds.measured.measured = window.now;
        return rounds.result;
    }
    auto spans = TRY(store::version_spans(store, TRY(store.restore_points(lineage))));
    auto measured = TRY(measure(store, spans, window.now));
    auto thinned = TRY(too_many(store, lineage, oldest, measured, window, limits, origins));
    if (!thinned.empty()) {
        auto alone = TRY(take_history(store, lineage));
        if (!alone) {
            rounds.held_since = window.now;
            return {};
        }
        TRY(store.collect_garbage(lineage, oldest, thinned, origins));
    }
    auto packed = give_back(store, lineage, spans, limits, window.now, origins, rounds);
    rounds.points = TRY(store.restore_points(lineage));
    for (const store::RestorePointId& id : measured.ids)
        measured.stays.push_back(
            std::binary_search(rounds.points.begin(), rounds.points.end(), id));
    rounds.measured = std::move(measured);
    // What was packed takes less now, and there may be more of it.
    rounds.thinned = packed.ok() && *packed > 0 ? Time{} : window.now;
    rounds.has_more = packed.ok() && *packed >= rounds.give_back.pages_a_round();
    rounds.limits = limits;
    rounds.result = packed.ok() ? Result<void>() : Result<void>(std::move(packed).error());
    return rounds.result;
}

// So that it can be compressed. After what wins room: on a full disk it may fail, and comes again.
void archive_ended_lives(const store::Store& store, const std::vector<Life>& lives) {
    for (const Life& life : lives) {
        if (life.is_newest()) continue;
        auto archived = wal::archive_ended(
            store.disk(), incarnation_path(store, life.log) + "/" + store::kWalDirectory,
            archive_path(store, life.log), life.end);
        if (!archived) log::warn("compute: archive WAL: {}", archived.error().text());
    }
}

// Answers the oldest restore point that is left to choose from; nothing while somebody holds the
// history.
Result<std::optional<store::RestorePointId>> let_go_before(const store::Store& store,
                                                           uint64_t lineage, Time time,
                                                           store::Origins& origins) {
    auto alone = TRY(take_history(store, lineage));
    if (!alone) return std::optional<store::RestorePointId>();
    TRY(check_all_are_known(store, lineage, TRY(store.incarnations(lineage))));
    auto lives = TRY(lives_of(store, lineage));
    for (const Life& life : lives)
        TRY(wal::remove_compressed(store.disk(), archive_path(store, life.log)));
    auto oldest = TRY(oldest_needed(store, lives, time));
    if (!oldest) {
        archive_ended_lives(store, lives);
        return std::optional(store::RestorePointId{lives.front().log, 1});
    }
    const Life& first = lives[oldest->life];
    auto from = TRY(beginning_with(*oldest, first));
    auto noted = TRY(kept_from(store, lineage));
    if (!noted || noted->lsn < from.lsn) TRY(write_kept_from(store, lineage, from));
    TRY(trim_wal_of(store, lives, *oldest));
    // What the life began from is named by its record, and stays for that.
    store::RestorePointId first_kept{first.log, std::max(oldest->number, uint32_t{1})};
    TRY(store.collect_garbage(lineage, first_kept, {}, origins));
    archive_ended_lives(store, lives);
    return std::optional(first_kept);
}

}  // namespace

Result<void> trim_history(const store::Store& store, uint64_t lineage, Time time, Time now,
                          const HistoryLimits& limits, store::Origins& origins,
                          HistoryRounds& rounds) {
    rounds.has_more = false;
    auto incarnations = store.incarnations(lineage);
    if (!incarnations && incarnations.error().code() == Code::not_found) return {};
    if (TRY(std::move(incarnations)).empty()) return {};
    auto oldest = TRY(let_go_before(store, lineage, time, origins));
    if (!oldest) {
        if (!rounds.held_since) rounds.held_since = now;
        return {};
    }
    rounds.held_since.reset();
    return make_room(store, lineage, *oldest, {time, now}, limits, origins, rounds);
}

Result<uint64_t> compress_archived_wal(const store::Store& store, uint64_t lineage,
                                       const std::function<bool()>& go_on,
                                       wal::Unreadable& unreadable) {
    auto numbers = TRY(store.incarnations(lineage));
    for (uint32_t number : numbers) {
        std::string archive = archive_path(store, {lineage, number});
        bool has_work = TRY(wal::has_uncompressed(store.disk(), archive, unreadable));
        if (!has_work) continue;
        // No start replays what a life that has ended wrote. Of the newest restore point, a large
        // file, only where there is something to do.
        Lsn below = kNoLimit;
        if (number == numbers.back())
            below =
                TRY(control_of(TRY(store.newest_restore_point(lineage)))).file.checkpoint_copy.redo;
        uint64_t bytes = TRY(wal::compress_next(store.disk(), archive, {below, go_on, unreadable}));
        if (bytes > 0 || !go_on()) return bytes;
    }
    return uint64_t{0};
}

}  // namespace tarn::compute
