#include "compute/history.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "base/log.h"
#include "compute/fence.h"
#include "compute/layout.h"
#include "compute/opening.h"
#include "store/paths.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "wal/wal_trim.h"

namespace tarn::compute {

namespace {

constexpr Lsn kNoLimit{~uint64_t{0}};

// A position behind the last record is no moment to come if only a page header lies between.
constexpr uint64_t kHeaderBytesMax = 40;

// One incarnation's part of its lineage's line: the WAL in (begin, end].
struct Stretch {
    store::LogId log;
    store::RestorePointId base;
    Lsn begin;
    Lsn end = kNoLimit;  // where the next one began
    Time begun;
    bool is_newest() const { return end == kNoLimit; }
};

Result<std::vector<Stretch>> stretches_of(const store::Store& store, uint64_t lineage) {
    std::vector<Stretch> line;
    for (uint32_t number : TRY(store.incarnations(lineage))) {
        auto record = TRY(store.incarnation({lineage, number}));
        Stretch stretch;
        stretch.log = record.log;
        stretch.base = record.base;
        stretch.begin = TRY(lsn_attachment(record.attachments, incarnation_key::wal_end));
        stretch.begun = TRY(time_attachment(record.attachments, incarnation_key::begun));
        if (!line.empty()) line.back().end = stretch.begin;
        line.push_back(stretch);
    }
    if (line.empty())
        return error(Code::not_found, "there is no lineage {}", lineage_text(lineage));
    return line;
}

Result<sys::Descriptor> hold(const store::Store& store, uint64_t lineage) {
    return std::move(*TRY(hold_history(store, lineage, false)));
}

// While a compute writes, its map says how much of the WAL counts. One that nobody uses may be an
// older one, come back with a power cut: then all of the WAL counts, and at least that much.
struct Durable {
    Lsn least;
    Lsn most;
};
Result<Durable> durable_of(const store::Store& store, store::LogId newest) {
    bool runs = is_held(lineage_lock_path(store.root(), newest.lineage));
    Lsn known = TRY(known_durable(store, newest));
    if (runs && !known.valid())
        return error(Code::unavailable, "the compute of lineage {} is starting",
                     lineage_text(newest.lineage))
            .with_hint("try again in a moment");
    return Durable{known, runs ? known : kNoLimit};
}

struct Reach {
    Lsn limit = kNoLimit;
    std::optional<Time> until;
};

// Reads the WAL of `log` from a restore point on, as far as it reaches.
Result<Origin> origin_at(const store::Store& store, store::LogId log, store::RestorePoint point,
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
    return Origin{log.lineage, std::move(point), control, std::move(files), std::move(end), {}, {}};
}

Error too_short(const Origin& origin, uint64_t lineage, Lsn least) {
    return error(Code::data_loss, "WAL of lineage {} ends at {} ({}), before {}",
                 lineage_text(lineage), origin.end.end.text(), origin.end.stopped_by, least.text());
}

Result<Lsn> consistent_lsn(const store::RestorePoint& point) {
    return lsn_attachment(point.attachments, restore_point_key::consistent_lsn);
}

// The newest moment of a lineage: its newest restore point, and how far its WAL is durable and
// whole.
Result<Origin> newest_moment(const store::Store& store, uint64_t lineage) {
    auto held = TRY(hold(store, lineage));
    auto incarnations = TRY(store.incarnations(lineage));
    if (incarnations.empty())
        return error(Code::not_found, "there is no lineage {}", lineage_text(lineage));
    store::LogId log{lineage, incarnations.back()};
    Time now = sys::real_clock().now();
    // In this order: restore points and flush positions only grow, so the position read last is at
    // or behind what the restore point needs.
    auto point = TRY(store.newest_restore_point(lineage));
    auto durable = TRY(durable_of(store, log));
    auto origin = TRY(origin_at(store, log, std::move(point), {durable.most, std::nullopt}));
    Lsn least = std::max(durable.least, TRY(consistent_lsn(origin.point)));
    if (origin.end.end < least) return too_short(origin, lineage, least);
    origin.time = now;
    origin.held.push_back(std::move(held));
    return origin;
}

// ---- moments of the past ------------------------------------------------------------------------

// A wanted moment, and where the line of the lineage at hand ends for it.
struct Wanted {
    std::optional<Lsn> lsn;
    std::optional<Time> time;
    Lsn limit = kNoLimit;

    std::string text() const { return lsn ? lsn->text() : rfc3339(*time); }
    bool is_behind(Lsn position, Time at) const {
        return lsn ? position <= *lsn : at <= *time && position <= limit;
    }
    bool is_in(const Stretch& stretch) const {
        return lsn ? stretch.begin < *lsn : stretch.begun <= *time && stretch.begin < limit;
    }
};

Result<bool> is_behind(const store::Store& store, const Wanted& wanted,
                       const store::RestorePointId& id) {
    auto point = store::load_restore_point(store.disk(), store.root().c_str(), id);
    // An older one serves too; there is only more WAL to replay.
    if (!point) {
        log::warn("compute: restore point {}: {}", text_of(id), point.error().text());
        return false;
    }
    Time taken = TRY(time_attachment(point->attachments, restore_point_key::taken));
    return wanted.is_behind(TRY(consistent_lsn(*point)), taken);
}

// How many of the numbered restore points lie before the moment.
Result<size_t> count_before(const store::Store& store, store::LogId log,
                            const std::vector<uint32_t>& numbers, const Wanted& wanted) {
    size_t low = 0;
    for (size_t high = numbers.size(); low < high;) {
        size_t middle = (low + high) / 2;
        bool before = TRY(is_behind(store, wanted, {log, numbers[middle]}));
        (before ? low : high) = before ? middle + 1 : middle;
    }
    return low;
}

// Restore points to begin from, the best one last: the stretch's own, and what it began from.
Result<std::vector<store::RestorePointId>> beginnings(const store::Store& store,
                                                      const Stretch& stretch,
                                                      const Wanted& wanted) {
    auto numbers = TRY(store.restore_points(stretch.log));
    numbers.resize(TRY(count_before(store, stretch.log, numbers, wanted)));
    std::vector<store::RestorePointId> ids{stretch.base};
    for (uint32_t number : numbers) ids.push_back({stretch.log, number});
    return ids;
}

Error ahead_of(const Wanted& wanted, const Origin& origin) {
    return error(Code::bad_request, "{} is ahead of the newest position, {}", wanted.text(),
                 origin.end.end.text());
}

Result<Origin> moment_in(const store::Store& store, const Stretch& stretch, const Wanted& wanted) {
    Reach reach{std::min(stretch.end, wanted.limit), wanted.time};
    if (wanted.lsn) reach.limit = std::min(reach.limit, *wanted.lsn);
    if (stretch.is_newest())
        reach.limit = std::min(reach.limit, TRY(durable_of(store, stretch.log)).most);
    auto ids = TRY(beginnings(store, stretch, wanted));
    for (; !ids.empty(); ids.pop_back()) {
        auto point = TRY(store::load_restore_point(store.disk(), store.root().c_str(), ids.back()));
        Lsn consistent = TRY(consistent_lsn(point));
        auto origin = TRY(origin_at(store, stretch.log, std::move(point), reach));
        // A clock that was set back: transactions before the restore point look later than it.
        if (origin.end.end < consistent && origin.end.reached) continue;
        if (origin.end.end < consistent || (!origin.end.reached && !stretch.is_newest()))
            return too_short(origin, stretch.log.lineage, std::max(consistent, reach.limit));
        if (wanted.lsn && wanted.lsn->value > origin.end.end.value + kHeaderBytesMax &&
            (!origin.end.reached || reach.limit < *wanted.lsn))
            return ahead_of(wanted, origin);
        Time before = TRY(time_attachment(origin.point.attachments, restore_point_key::taken));
        origin.time = wanted.time.value_or(origin.end.last_transaction.value_or(before));
        return origin;
    }
    return error(Code::data_loss, "no restore point of lineage {} lies before {}",
                 lineage_text(stretch.log.lineage), wanted.text());
}

Result<void> check_kept(const store::Store& store, uint64_t lineage, const Wanted& wanted) {
    auto kept = TRY(kept_from(store, lineage));
    if (!kept) return {};
    bool there = wanted.lsn ? *wanted.lsn >= kept->lsn : *wanted.time >= kept->time;
    if (there) return {};
    return error(Code::bad_request, "{} is before the history that is kept, which begins at {}, {}",
                 wanted.text(), kept->lsn.text(), rfc3339(kept->time));
}

// Where a lineage was branched; nothing for a project's first.
Result<std::optional<uint64_t>> parent_of(const store::Store& store, uint64_t lineage) {
    auto record = TRY(store.lineage(lineage));
    if (!record.attachments.contains(lineage_key::parent)) return std::optional<uint64_t>();
    return std::optional(TRY(number_attachment(record.attachments, lineage_key::parent)));
}

// Down the line: in the lineage, or else in what it was branched from, up to there.
Result<Origin> past_moment(const store::Store& store, uint64_t lineage, Wanted wanted) {
    std::vector<sys::Descriptor> held;
    for (;;) {
        held.push_back(TRY(hold(store, lineage)));
        TRY(check_kept(store, lineage, wanted));
        auto line = TRY(stretches_of(store, lineage));
        auto found = std::find_if(line.rbegin(), line.rend(),
                                  [&](const Stretch& stretch) { return wanted.is_in(stretch); });
        if (found != line.rend()) {
            auto origin = TRY(moment_in(store, *found, wanted));
            origin.held = std::move(held);
            return origin;
        }
        wanted.limit = std::min(wanted.limit, line.front().begin);
        auto parent = TRY(parent_of(store, lineage));
        if (!parent)
            return error(Code::bad_request, "{} is before the beginning of the project",
                         wanted.text());
        lineage = *parent;
    }
}

}  // namespace

Result<Origin> find_moment(const store::Store& store, uint64_t lineage, const Moment& moment) {
    Wanted wanted;
    if (const Lsn* lsn = std::get_if<Lsn>(&moment)) wanted.lsn = *lsn;
    if (const Time* time = std::get_if<Time>(&moment)) wanted.time = *time;
    if (!wanted.lsn && !wanted.time) return newest_moment(store, lineage);
    return past_moment(store, lineage, wanted);
}

// ---- how far back -------------------------------------------------------------------------------

namespace {

constexpr std::string_view kKeptFromMagic = "tarn kept_from 1";

std::string lineage_path(const store::Store& store, uint64_t lineage, std::string_view name) {
    return fmt::format("{}/{}", store::lineage_directory(store.root().c_str(), lineage).text, name);
}

}  // namespace

Result<std::optional<sys::Descriptor>> hold_history(const store::Store& store, uint64_t lineage,
                                                    bool exclusive) {
    std::string path = lineage_path(store, lineage, "history.lock");
    sys::Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.is_open()) return errno_error(errno, fmt::format("open {}", path));
    if (::flock(fd.fd(), exclusive ? LOCK_EX | LOCK_NB : LOCK_SH) == 0)
        return std::optional(std::move(fd));
    if (errno == EWOULDBLOCK) return std::optional<sys::Descriptor>();
    return errno_error(errno, fmt::format("lock {}", path));
}

Result<std::optional<KeptFrom>> kept_from(const store::Store& store, uint64_t lineage) {
    std::string path = lineage_path(store, lineage, "kept_from");
    auto text = sys::read_file(store.disk(), path);
    if (!text && text.error().code() == Code::not_found) return std::optional<KeptFrom>();
    std::istringstream lines(TRY(std::move(text)));
    std::string magic, lsn, time;
    if (!std::getline(lines, magic) || magic != kKeptFromMagic || !std::getline(lines, lsn) ||
        !std::getline(lines, time))
        return error(Code::data_loss, "{} does not say from where on history is kept", path);
    return std::optional(KeptFrom{TRY_CTX(Lsn::parse(lsn), "read {}", path),
                                  TRY_CTX(parse_rfc3339(time), "read {}", path)});
}

Result<void> write_kept_from(const store::Store& store, uint64_t lineage, const KeptFrom& from) {
    return sys::replace_durably(
        store.disk(), lineage_path(store, lineage, "kept_from"),
        fmt::format("{}\n{}\n{}\n", kKeptFromMagic, from.lsn.text(), rfc3339(from.time)),
        sys::SyncSite::lineage_data, sys::SyncSite::lineage_directory);
}

namespace {

// The restore point that the oldest moments to be kept are opened from.
struct Oldest {
    size_t stretch = 0;
    uint32_t number = 0;  // 0: what the stretch began from
    store::RestorePoint point;
};

// The newest one taken by then, but never the newest of all: should that be damaged, there is
// another.
Result<std::optional<Oldest>> oldest_needed(const store::Store& store,
                                            const std::vector<Stretch>& line, Time time) {
    auto load = [&](const store::RestorePointId& id) {
        return store::load_restore_point(store.disk(), store.root().c_str(), id);
    };
    for (size_t at = line.size(); at-- > 0;) {
        const Stretch& stretch = line[at];
        auto numbers = TRY(store.restore_points(stretch.log));
        bool has_own = !numbers.empty();
        if (stretch.is_newest() && has_own) numbers.pop_back();
        size_t before =
            TRY(count_before(store, stretch.log, numbers, {std::nullopt, time, kNoLimit}));
        if (before > 0) {
            uint32_t number = numbers[before - 1];
            return std::optional(Oldest{at, number, TRY(load({stretch.log, number}))});
        }
        if (stretch.begun <= time && (has_own || !stretch.is_newest()))
            return std::optional(Oldest{at, 0, TRY(load(stretch.base))});
    }
    return std::optional<Oldest>();
}

}  // namespace

Result<void> trim_history(const store::Store& store, uint64_t lineage, Time time) {
    auto incarnations = TRY(store.incarnations(lineage));
    if (incarnations.empty()) return {};
    auto held = TRY(hold_history(store, lineage, true));
    if (!held) return {};
    auto line = TRY(stretches_of(store, lineage));
    auto oldest = TRY(oldest_needed(store, line, time));
    if (!oldest) return {};

    const Stretch& first = line[oldest->stretch];
    // A moment at the very place where a stretch begins belongs to the one before.
    KeptFrom from{Lsn{first.begin.value + 1}, first.begun};
    if (oldest->number != 0)
        from = {TRY(consistent_lsn(oldest->point)),
                TRY(time_attachment(oldest->point.attachments, restore_point_key::taken))};
    auto noted = TRY(kept_from(store, lineage));
    if (!noted || noted->lsn < from.lsn) TRY(write_kept_from(store, lineage, from));

    Lsn redo = TRY(control_of(oldest->point)).file.checkpoint_copy.redo;
    for (size_t at = 0; at < line.size(); ++at) {
        auto directory = incarnation_path(store, line[at].log);
        auto wal = directory + "/" + store::kWalDirectory;
        auto archive = directory + "/" + store::kWalArchiveDirectory;
        Lsn needed_from = at < oldest->stretch ? kNoLimit : at == oldest->stretch ? redo : Lsn{};
        TRY(wal::trim_wal(store.disk(), archive, needed_from, line[at].end));
        // PostgreSQL looks after the WAL of a running one itself.
        if (!line[at].is_newest()) TRY(wal::trim_wal(store.disk(), wal, needed_from, line[at].end));
    }
    return store.collect_garbage(lineage, {first.log, std::max(oldest->number, uint32_t{1})});
}

}  // namespace tarn::compute
