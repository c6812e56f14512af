#include "compute/history.h"

#include <algorithm>

#include "base/log.h"
#include "compute/layout.h"
#include "compute/lives.h"
#include "compute/lost_records.h"
#include "compute/opening.h"
#include "compute/set_aside.h"
#include "pg/wal_format.h"
#include "sys/clock.h"

namespace tarn::compute {

namespace {

struct Reach {
    Lsn limit = kNoLimit;
    std::optional<Time> until;
};

// Reads the WAL of `log` from a restore point on, as far as it is to reach.
Result<MomentSource> read_on(const store::Store& store, store::LogId log, store::RestorePoint point,
                             const Reach& reach) {
    auto control = TRY(control_of(point));
    auto record = TRY(store.lineage(log.lineage));
    auto identifier = TRY(number_attachment(record.attachments, lineage_key::system_identifier));
    auto files = TRY(wal::WalFiles::list(store.disk(), incarnation_path(store, log)));
    auto end = TRY(wal::find_end(files, {.from = control.file.checkpoint_copy.redo,
                                         .tli = control.file.checkpoint_copy.tli,
                                         .limit = reach.limit,
                                         .until = reach.until,
                                         .major = control.file.major,
                                         .system_identifier = identifier}));
    return MomentSource{
        log.lineage, std::move(point), control, std::move(files), std::move(end), {}, {}};
}

Error too_short(const MomentSource& source, Lsn least) {
    return error(Code::data_loss, "WAL of lineage {} ends at {} ({}), before {}",
                 lineage_text(source.lineage), source.end.end.text(), source.end.stopped_by,
                 least.text());
}

// The newest moment of a lineage: its newest restore point, and how far its WAL is durable and
// whole.
Result<MomentSource> newest_moment(const store::Store& store, uint64_t lineage) {
    auto held = TRY(hold_history(store, lineage));
    auto incarnations = TRY(store.incarnations(lineage));
    if (incarnations.empty())
        return error(Code::not_found, "there is no lineage {}", lineage_text(lineage));
    TRY(check_newest_is_known(store, lineage, incarnations));
    store::LogId log{lineage, incarnations.back()};
    // In this order: restore points and flush positions only grow, so the position read last is at
    // or behind what the restore point needs.
    auto point = TRY(store.newest_restore_point(lineage));
    auto durable = TRY(durable_of(store, log));
    Time now = sys::real_clock().now();
    auto source = TRY(read_on(store, log, std::move(point), {durable.most, std::nullopt}));
    Lsn least = std::max(durable.least, TRY(consistent_lsn(source.point)));
    if (source.end.end < least) return too_short(source, least);
    source.time = now;
    source.held.push_back(std::move(held));
    return source;
}

// ---- moments of the past ------------------------------------------------------------------------

std::string place_text(const Place& place) {
    return place.lsn ? place.lsn->text() : rfc3339(*place.time);
}

bool is_in(const Life& life, const Place& place) {
    if (place.lsn) return life.begin <= *place.lsn;
    return life.begun <= *place.time && life.begin < place.limit;
}

// Restore points to begin from, the best one last: the life's own, and what it began from.
Result<std::vector<store::RestorePointId>> beginnings(const store::Store& store, const Life& life,
                                                      const Place& place) {
    auto numbers = TRY(store.restore_points(life.log));
    numbers.resize(TRY(count_before(store, life.log, numbers, place)));
    std::vector<store::RestorePointId> ids{life.base};
    for (uint32_t number : numbers) ids.push_back({life.log, number});
    return ids;
}

// Is what was read the moment, and all of it?
Result<void> check(const MomentSource& source, const Life& life, const Place& place,
                   const Durable& durable) {
    if (source.end.reached) return {};
    // The WAL has ended before anything said that it should.
    if (!life.is_newest()) return too_short(source, std::min(life.end, place.limit));
    if (source.end.end < durable.least) return too_short(source, durable.least);
    return {};
}

// Does the position lie behind all there is? At a page's end the next record begins behind the
// next page's header.
bool is_ahead(Lsn position, const MomentSource& source, const Reach& reach) {
    Lsn end = source.end.end;
    if (end.value % pg::kWalPageSize == 0) end.value += pg::wal_page_offset::long_size;
    return position > end && (!source.end.reached || reach.limit < position);
}

// Nothing if even what the life began from looks later than the place: a clock was set back.
Result<std::optional<MomentSource>> moment_in(const store::Store& store, const Life& life,
                                              const Place& place) {
    Durable durable;
    if (life.is_newest()) durable = TRY(durable_of(store, life.log));
    Reach reach{std::min({life.end, place.limit, durable.most}), place.time};
    if (place.lsn) reach.limit = std::min(reach.limit, *place.lsn);
    auto ids = TRY(beginnings(store, life, place));
    std::optional<Error> unreadable;
    for (; !ids.empty(); ids.pop_back()) {
        auto point = store.restore_point(ids.back());
        if (!point) {
            unreadable = point.error();
            log::warn("compute: restore point {}: {}", text_of(ids.back()), unreadable->text());
            continue;
        }
        Lsn consistent = TRY(consistent_lsn(*point));
        Time taken = TRY(taken_at(*point));
        auto source = TRY(read_on(store, life.log, std::move(*point), reach));
        TRY(check(source, life, place, durable));
        if (source.end.end < consistent && source.end.reached) continue;
        if (source.end.end < consistent) return too_short(source, consistent);
        if (place.lsn && is_ahead(*place.lsn, source, reach))
            return error(Code::bad_request, "{} is ahead of the newest position, {}",
                         place_text(place), source.end.end.text())
                .with_hint("give a position up to that one");
        source.time = place.time.value_or(source.end.last_transaction.value_or(taken));
        return std::optional(std::move(source));
    }
    if (unreadable || place.lsn)
        return error(Code::data_loss, "no restore point of lineage {} from before {} can be read",
                     lineage_text(life.log.lineage), place_text(place));
    return std::optional<MomentSource>();
}

Result<void> check_kept(const store::Store& store, uint64_t lineage, const Place& place) {
    auto kept = TRY(kept_from(store, lineage));
    if (!kept) return {};
    bool there = place.lsn ? *place.lsn >= kept->lsn : *place.time >= kept->time;
    if (there) return {};
    return error(Code::bad_request, "{} is before the history that is kept, which begins at {}, {}",
                 place_text(place), kept->lsn.text(), rfc3339(kept->time))
        .with_hint(
            "give a later moment; the project's history_retention_duration says how much is kept");
}

Result<void> check_not_set_aside(const store::Store& store, uint64_t lineage, const Place& place) {
    if (!place.time) return {};
    auto times = TRY(set_aside_of(store, lineage));
    if (!times || *place.time <= times->from || times->until <= *place.time) return {};
    return error(Code::bad_request,
                 "{} is in what was set aside when the branch was restored, at {}, to {}",
                 place_text(place), rfc3339(times->until), rfc3339(times->from))
        .with_hint("it is in the past of the branch that the restore preserved");
}

// Down the line: in the lineage, or else in what it was branched from, up to there.
Result<MomentSource> past_moment(const store::Store& store, uint64_t lineage, Place place) {
    std::vector<sys::Descriptor> held;
    for (;;) {
        auto hold = hold_history(store, lineage);
        if (!hold && hold.error().code() == Code::not_found && !held.empty())
            return error(Code::bad_request,
                         "{} is before the history that is kept: its branch is gone",
                         place_text(place))
                .with_hint("give a later moment");
        held.push_back(TRY(std::move(hold)));
        TRY(check_kept(store, lineage, place));
        TRY(check_not_set_aside(store, lineage, place));
        auto lives = TRY(lives_of(store, lineage));
        auto life = std::find_if(lives.rbegin(), lives.rend(),
                                 [&](const Life& each) { return is_in(each, place); });
        for (; life != lives.rend(); ++life) {
            auto source = TRY(moment_in(store, *life, place));
            // What it began with was later than its beginning says: the moment lies before.
            if (!source || source->end.end < life->begin) continue;
            // A clock that was ahead when the next life began: does the time lie in that one?
            while (place.time && source->end.end == life->end) {
                auto later = TRY(moment_in(store, *--life, place));
                if (!later || later->end.end <= source->end.end) break;
                source = std::move(later);
            }
            source->held = std::move(held);
            return std::move(*source);
        }
        place.limit = std::min(place.limit, lives.front().begin);
        auto parent = TRY(parent_of(store, lineage));
        if (!parent)
            return error(Code::bad_request, "{} is before the beginning of the project",
                         place_text(place))
                .with_hint("give a later moment");
        lineage = *parent;
    }
}

}  // namespace

Result<MomentSource> find_moment(const store::Store& store, uint64_t lineage,
                                 const Moment& moment) {
    Place place;
    if (const Lsn* lsn = std::get_if<Lsn>(&moment)) place.lsn = *lsn;
    if (const Time* time = std::get_if<Time>(&moment)) place.time = *time;
    if (!place.lsn && !place.time) return newest_moment(store, lineage);
    return past_moment(store, lineage, place);
}

}  // namespace tarn::compute
