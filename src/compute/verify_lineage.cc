#include "compute/verify_lineage.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "compute/attachments.h"
#include "compute/fence.h"
#include "compute/history.h"
#include "compute/layout.h"
#include "compute/lineages.h"
#include "compute/opening.h"
#include "compute/set_aside.h"
#include "compute/verify_life.h"
#include "pg/relation_path.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

using store::RestorePointId;

bool joins(const MomentRange& range, const MomentRange& next) {
    return range.before && *range.before == next.from && !next.after;
}

// What a compute makes after the incarnation's record: its first start, and what it has sealed.
Result<bool> has_run(const store::Store& store, store::LogId log) {
    if (!TRY(store.restore_points(log)).empty()) return true;
    return sys::exists(store.disk(),
                       incarnation_path(store, log) + "/" + store::kWalArchiveDirectory);
}

// Incarnations that have run and have no record. `known` have one.
Result<std::vector<uint32_t>> incarnations_without_record(const store::Store& store,
                                                          uint64_t lineage,
                                                          const std::vector<uint32_t>& known) {
    std::vector<uint32_t> found;
    std::string directory = store::lineage_directory(store.root().c_str(), lineage).text;
    for (const std::string& name : TRY(sys::list_names(store.disk(), directory))) {
        uint32_t number = 0;
        auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
        bool is_number =
            name.size() == 8 && failure == std::errc() && end == name.data() + name.size();
        if (!is_number || std::binary_search(known.begin(), known.end(), number)) continue;
        // The record comes first: looked for last, it is not one that has come since.
        if (TRY(has_run(store, {lineage, number})) &&
            !TRY(sys::exists(store.disk(),
                             incarnation_path(store, {lineage, number}) + "/incarnation")))
            found.push_back(number);
    }
    return found;
}

// Was something in it that can be opened? In an import that was cut short there was not.
Result<bool> was_made(const store::Store& store, uint64_t lineage) {
    auto known = TRY(store.incarnations(lineage));
    for (uint32_t number : known) {
        auto record = store.incarnation({lineage, number});
        if (!record || record->base.number != 0 || TRY(has_run(store, {lineage, number})))
            return true;
    }
    return !TRY(incarnations_without_record(store, lineage, known)).empty();
}

// Making writes the record first, and removal takes the mark away last. So whoever is seen twice
// with neither, and with something that was made, has lost the record.
Result<bool> has_lost_record(const store::Store& store, uint64_t lineage) {
    std::string directory = store::lineage_directory(store.root().c_str(), lineage).text;
    for (int look = 0; look < 2; ++look) {
        auto made = was_made(store, lineage);
        if (!made && made.error().code() == Code::not_found) return false;
        if (!TRY(std::move(made)) || TRY(sys::exists(store.disk(), directory + "/lineage")) ||
            TRY(sys::exists(store.disk(), dropped_marker(store.root(), lineage))))
            return false;
    }
    return true;
}

class LineageCheck {
  public:
    LineageCheck(const store::Store& store, store::Verifier& verifier, uint64_t lineage)
        : store_(store), verifier_(verifier) {
        found_.lineage = lineage;
    }

    Result<LineageFindings> run() {
        TRY(read_record());
        TRY(read_incarnations());
        TRY(read_kept_from());
        TRY(read_set_aside());
        for (size_t at = 0; at < lives_.size(); ++at) TRY(read_restore_points(at));
        TRY(read_origins());
        find_floor();
        for (size_t at = floor_life_; at < lives_.size(); ++at) TRY(read_wal(at));
        for (const Place& place : places_) tell_moments(place);
        for (size_t damage : hiding_all_) add_range(found_.damages[damage], {});
        if (hiding_all_.empty()) TRY(find_newest_whole());
        if (found_.damage_count == 0 && !found_.newest_whole) TRY(tell_that_nothing_opens());
        return std::move(found_);
    }

  private:
    // A damage, and the beginnings (life and number in it) that rest on it.
    struct Place {
        size_t damage;
        std::vector<std::pair<size_t, size_t>> beginnings;
    };
    static constexpr size_t kNotKept = ~size_t{0};

    Result<void> read_record();
    Result<void> read_incarnations();
    Result<void> read_kept_from();
    Result<void> read_set_aside();
    Result<void> read_restore_points(size_t life);
    Result<void> read_restore_point(size_t life, size_t at);
    Result<void> read_pages(const store::RestorePoint& point, size_t life, size_t at);
    Result<void> read_origins();
    Result<void> read_wal(size_t life);
    void find_floor();
    Result<void> find_newest_whole();
    Result<void> tell_that_nothing_opens();
    Result<std::optional<WholeMoment>> whole_moment(const CheckedLife& life, size_t at) const;

    // Of a record without which no moment is found. Damage passes; any other failure stays one.
    Result<void> need(Result<void> read, const std::string& what, const std::string& file);
    Result<void> note(Result<void> read, const std::string& what, const std::string& file);
    // Its number in found_.damages, or kNotKept.
    size_t add(Damage damage);
    // The same object once, however many beginnings rest on it.
    void add_to(const std::string& key, std::pair<size_t, size_t> beginning, Damage damage);
    void tell_moments(const Place& place);
    void add_range(Damage& damage, MomentRange range) const;
    bool is_kept(size_t life, size_t at) const {
        return std::pair(life, at) >= std::pair(floor_life_, floor_);
    }
    std::string lineage_file(std::string_view name) const {
        return fmt::format(
            "{}/{}", store::lineage_directory(store_.root().c_str(), found_.lineage).text, name);
    }
    std::string block_text(const store::SlotClaim& claim) const;

    const store::Store& store_;
    store::Verifier& verifier_;
    LineageFindings found_;
    store::LineageRecord record_;
    uint64_t system_identifier_ = 0;
    int major_ = 0;
    std::vector<size_t> hiding_all_;  // damages because of which no moment is found
    std::optional<KeptFrom> kept_;
    bool floor_known_ = true;
    // The one that was chosen may be the next one, which cannot be read: then WAL is there for
    // those after it only.
    bool floor_may_follow_ = false;
    std::vector<CheckedLife> lives_;
    size_t floor_life_ = 0, floor_ = 0;   // the first beginning that moments which are kept need
    std::map<std::string, size_t> keys_;  // of places_
    std::vector<Place> places_;
};

Result<void> LineageCheck::need(Result<void> read, const std::string& what,
                                const std::string& file) {
    size_t before = found_.damages.size();
    TRY(note(std::move(read), what, file));
    if (found_.damages.size() > before) hiding_all_.push_back(before);
    return {};
}

Result<void> LineageCheck::note(Result<void> read, const std::string& what,
                                const std::string& file) {
    if (read || !store::is_damage(read.error())) return read;
    Damage damage;
    damage.what = what;
    damage.file = file;
    damage.why = read.error().message();
    add(std::move(damage));
    return {};
}

size_t LineageCheck::add(Damage damage) {
    ++found_.damage_count;
    if (found_.damages.size() >= LineageFindings::kDamagesKept) return kNotKept;
    found_.damages.push_back(std::move(damage));
    return found_.damages.size() - 1;
}

void LineageCheck::add_to(const std::string& key, std::pair<size_t, size_t> beginning,
                          Damage damage) {
    auto [at, is_new] = keys_.try_emplace(key, places_.size());
    if (is_new) places_.push_back({add(std::move(damage)), {}});
    Place& place = places_[at->second];
    if (place.damage != kNotKept) place.beginnings.push_back(beginning);
}

Result<void> LineageCheck::read_record() {
    auto read = [&]() -> Result<void> {
        record_ = TRY(store_.lineage(found_.lineage));
        system_identifier_ =
            TRY(number_attachment(record_.attachments, lineage_key::system_identifier));
        major_ =
            static_cast<int>(TRY(number_attachment(record_.attachments, lineage_key::pg_major)));
        return {};
    }();
    return need(std::move(read), "lineage record", lineage_file("lineage"));
}

Result<void> LineageCheck::read_incarnations() {
    auto numbers = TRY(store_.incarnations(found_.lineage));
    auto without = TRY(incarnations_without_record(store_, found_.lineage, numbers));
    numbers.insert(numbers.end(), without.begin(), without.end());
    std::sort(numbers.begin(), numbers.end());
    for (uint32_t number : numbers) {
        ++found_.incarnations;
        CheckedLife life;
        life.life.log = {found_.lineage, number};
        auto read = [&]() -> Result<void> {
            auto record = TRY(store_.incarnation(life.life.log));
            life.life.base = record.base;
            // What was imported has no line before it.
            if (record.base.number == 0) return {};
            life.life.begin = TRY(lsn_attachment(record.attachments, incarnation_key::wal_end));
            life.life.begun = TRY(time_attachment(record.attachments, incarnation_key::begun));
            return {};
        }();
        if (!lives_.empty()) {
            lives_.back().end_known = read.ok();
            if (read) lives_.back().life.end = life.life.begin;
            if (read) lives_.back().end_time = life.life.begun;
        }
        lives_.push_back(std::move(life));
        TRY(need(std::move(read), fmt::format("record of incarnation {}", number),
                 incarnation_path(store_, {found_.lineage, number}) + "/incarnation"));
    }
    return {};
}

Result<void> LineageCheck::read_kept_from() {
    auto kept = kept_from(store_, found_.lineage);
    if (kept) {
        kept_ = *kept;
        return {};
    }
    floor_known_ = false;
    return need(std::move(kept).error(), "record of how far back history is kept",
                lineage_file("kept_from"));
}

// Positions and the newest moment are found without it.
Result<void> LineageCheck::read_set_aside() {
    auto times = set_aside_of(store_, found_.lineage);
    if (times) return {};
    return note(std::move(times).error(), "record of the times that were set aside",
                lineage_file("set_aside"));
}

Result<void> LineageCheck::read_restore_points(size_t at) {
    CheckedLife& life = lives_[at];
    if (life.life.base.number != 0) {
        Beginning base;
        base.id = life.life.base;
        base.lsn = life.life.begin;
        base.time = life.life.begun;
        life.beginnings.push_back(base);
        TRY(read_restore_point(at, 0));
    }
    for (uint32_t number : TRY(store_.restore_points(life.life.log))) {
        ++found_.restore_points;
        Beginning own;
        own.id = {life.life.log, number};
        life.beginnings.push_back(own);
        TRY(read_restore_point(at, life.beginnings.size() - 1));
    }
    return {};
}

Result<void> LineageCheck::read_restore_point(size_t life, size_t at) {
    Beginning& beginning = lives_[life].beginnings[at];
    const RestorePointId id = beginning.id;
    bool own = id.log == lives_[life].life.log;
    auto read = [&]() -> Result<void> {
        auto point = TRY(store_.restore_point(id));
        TRY(describe(point, own, beginning));
        return read_pages(point, life, at);
    }();
    if (read || !store::is_damage(read.error())) return read;
    beginning.readable = false;
    Damage damage;
    damage.what = fmt::format("restore point {}", text_of(id));
    damage.file = store::restore_point_path(store_.root().c_str(), id.log, id.number).text;
    damage.why = read.error().message();
    add_to(damage.what, {life, at}, std::move(damage));
    return {};
}

std::string LineageCheck::block_text(const store::SlotClaim& claim) const {
    char path[pg::kMaxPathSize];
    const char* version = pg::tablespace_version_directory(major_);
    bool known = version && pg::format_path(claim.file.id, version, path, sizeof path) > 0;
    return fmt::format(
        "block {} of {}", claim.block,
        known ? std::string(path)
              : fmt::format("file {:016x}-{:016x}", claim.file.id.hi, claim.file.id.lo));
}

Result<void> LineageCheck::read_pages(const store::RestorePoint& point, size_t life, size_t at) {
    bool& whole = lives_[life].beginnings[at].whole;
    for (const store::IndexRef& ref : point.indexes) TRY(verifier_.index(ref));
    // This may add to what the indexes have been found to rest on.
    auto shown = TRY(verifier_.shown_by(point));
    for (const store::IndexRef& ref : point.indexes) {
        const store::IndexFindings* index = TRY(verifier_.index(ref));
        uint64_t more = index->damaged_count - index->damaged.size();
        if (!index->unreadable && more == 0) continue;
        whole = false;
        Damage damage;
        damage.what = fmt::format("index {:016x}/{}/{}", ref.lineage, ref.incarnation, ref.number);
        damage.file =
            store::index_path(store_.root().c_str(), {ref.lineage, ref.incarnation}, ref.number)
                .text;
        damage.why = index->unreadable ? index->unreadable->message()
                                       : fmt::format(
                                             "{} more damaged slots of {}, not asked who "
                                             "shows them",
                                             more, index->damaged_count);
        add_to(damage.what, {life, at}, std::move(damage));
    }
    for (const store::DamagedSlot* slot : shown) {
        whole = false;
        const store::SlotClaim& claim = slot->claim;
        Damage damage;
        damage.what = block_text(claim);
        damage.file = store::segment_path(store_.root().c_str(), claim.log,
                                          claim.slot / store::kSlotsPerSegment, false)
                          .text;
        damage.offset = claim.slot % store::kSlotsPerSegment * store::kBlockBytes;
        damage.why = slot->why.message();
        add_to(fmt::format("{}/{}/{}", claim.log.lineage, claim.log.incarnation, claim.slot),
               {life, at}, std::move(damage));
    }
    return {};
}

// What records of other lineages the moments rest on, and the parent's restore point, which is the
// first incarnation's base as long as there is one.
Result<void> LineageCheck::read_origins() {
    std::vector<RestorePointId> origins{record_.parent};
    for (const CheckedLife& life : lives_) origins.push_back(life.life.base);
    std::map<store::LogId, bool> seen;
    for (const RestorePointId& origin : origins) {
        if (origin.number == 0 || origin.log.lineage == found_.lineage ||
            !seen.try_emplace(origin.log).second)
            continue;
        auto read = [&]() -> Result<void> {
            TRY(store_.lineage(origin.log.lineage));
            TRY(store_.incarnation(origin.log));
            return {};
        };
        TRY(note(read(), fmt::format("where it began: {}", text_of(origin)),
                 incarnation_path(store_, origin.log)));
    }
    bool read_already = std::any_of(lives_.begin(), lives_.end(), [&](const CheckedLife& life) {
        return life.life.base == record_.parent;
    });
    if (record_.parent.number == 0 || read_already) return {};
    auto parent = store_.restore_point(record_.parent);
    auto read = parent ? Result<void>() : Result<void>(parent.error());
    return note(
        std::move(read), fmt::format("restore point {}", text_of(record_.parent)),
        store::restore_point_path(store_.root().c_str(), record_.parent.log, record_.parent.number)
            .text);
}

// As history_trim.cc chooses: what the oldest moment that is kept is opened from.
void LineageCheck::find_floor() {
    if (lives_.empty()) return;
    // Not known how far back there is WAL: that of the newest moments there must be.
    Lsn from = kept_ ? kept_->lsn : floor_known_ ? Lsn{} : kNoLimit;
    for (size_t at = 0; at < lives_.size(); ++at)
        if (lives_[at].life.begin.valid() && lives_[at].life.begin <= from) floor_life_ = at;
    const auto& beginnings = lives_[floor_life_].beginnings;
    for (size_t at = 0; at < beginnings.size(); ++at)
        if (beginnings[at].readable && beginnings[at].lsn <= from) floor_ = at;
    floor_may_follow_ = floor_ + 1 < beginnings.size() && !beginnings[floor_ + 1].readable;
}

Result<void> LineageCheck::read_wal(size_t at) {
    CheckedLife& life = lives_[at];
    const auto& beginnings = life.beginnings;
    for (size_t from = at == floor_life_ ? floor_ : 0; from < beginnings.size();) {
        if (!beginnings[from].readable) {
            ++from;
            continue;
        }
        size_t begin = from;
        auto stretch = TRY(read_stretch(store_, life, beginnings[from], system_identifier_));
        bool on_floor = at == floor_life_ && from == floor_;
        if (on_floor && floor_may_follow_ && stretch.broken && stretch.end.records == 0) {
            while (++floor_ < beginnings.size() && !beginnings[floor_].readable) continue;
            floor_may_follow_ = false;
            from = floor_;
            continue;
        }
        found_.wal_bytes += stretch.end.end.value - stretch.from.value;
        life.wal.push_back(stretch);
        if (!stretch.broken) return {};
        while (from < beginnings.size() &&
               !(beginnings[from].readable && beginnings[from].redo > stretch.end.end))
            ++from;
        Damage damage = wal_damage(store_, life, stretch);
        damage.moments.push_back(moments_behind(life, beginnings[begin], stretch, from));
        add(std::move(damage));
    }
    return {};
}

void LineageCheck::add_range(Damage& damage, MomentRange range) const {
    if (kept_ && range.from < kept_->lsn) {
        range.from = kept_->lsn;
        range.from_time = kept_->time;
    }
    if (range.before && *range.before <= range.from) return;
    if (!damage.moments.empty() && joins(damage.moments.back(), range)) {
        damage.moments.back().before = range.before;
        damage.moments.back().before_time = range.before_time;
    } else {
        damage.moments.push_back(range);
    }
}

void LineageCheck::tell_moments(const Place& place) {
    if (place.damage == kNotKept) return;
    Damage& damage = found_.damages[place.damage];
    std::set<std::tuple<store::LogId, uint32_t>> told;
    for (auto [number, at] : place.beginnings) {
        const CheckedLife& life = lives_[number];
        const Beginning& beginning = life.beginnings[at];
        if (told.emplace(beginning.id.log, beginning.id.number).second)
            damage.points.push_back(beginning.id);
        size_t first = number == floor_life_ ? floor_ : 0;
        bool has_older = false;
        for (size_t older = first; older < at; ++older)
            has_older = has_older || life.beginnings[older].readable;
        // In place of one that cannot be read an older one serves, with more WAL.
        if (number < floor_life_ || (!beginning.readable && has_older)) continue;
        if (beginning.readable && !is_kept(number, at)) continue;
        MomentRange range = life.moments_of(at);
        if (!beginning.readable) range.from = life.life.begin;
        add_range(damage, range);
    }
}

Result<std::optional<WholeMoment>> LineageCheck::whole_moment(const CheckedLife& life,
                                                              size_t at) const {
    const Beginning& beginning = life.beginnings[at];
    if (!beginning.readable || !beginning.whole) return std::optional<WholeMoment>();
    auto stretch = std::find_if(life.wal.begin(), life.wal.end(),
                                [&](const Stretch& each) { return each.covers(beginning); });
    if (stretch == life.wal.end()) return std::optional<WholeMoment>();
    wal::WalEnd end = stretch->end;
    const Beginning* next = life.next(at);
    if (next && next->lsn <= end.end) {
        // The state before the first record that only the next one has.
        auto files =
            TRY(wal::WalFiles::list(store_.disk(), incarnation_path(store_, life.life.log)));
        end = wal::read_wal(files, {.from = beginning.redo,
                                    .tli = beginning.tli,
                                    .limit = Lsn{next->lsn.value - 1},
                                    .major = beginning.major,
                                    .system_identifier = system_identifier_})
                  .end;
    }
    if (end.end < std::max(beginning.consistent, beginning.lsn))
        return std::optional<WholeMoment>();
    Time time = std::max(beginning.time, end.last_transaction.value_or(beginning.time));
    return std::optional(WholeMoment{end.end, time, beginning.id});
}

Result<void> LineageCheck::find_newest_whole() {
    for (size_t number = lives_.size(); number-- > floor_life_;)
        for (size_t at = lives_[number].beginnings.size(); at-- > 0;) {
            if (!is_kept(number, at)) return {};
            found_.newest_whole = TRY(whole_moment(lives_[number], at));
            if (found_.newest_whole) return {};
        }
    return {};
}

// Where nothing is damaged, something is whole, or nothing was ever there.
Result<void> LineageCheck::tell_that_nothing_opens() {
    size_t incarnations = TRY(store_.incarnations(found_.lineage)).size(), points = 0;
    for (const CheckedLife& life : lives_)
        points += TRY(store_.restore_points(life.life.log)).size();
    if (incarnations > lives_.size() || points > found_.restore_points)
        return error(Code::unavailable, "its making ended while it was read")
            .with_hint("verify it once more");
    bool made = TRY(was_made(store_, found_.lineage));
    for (const std::string& sign :
         {lineage_lock_path(store_.root(), found_.lineage), lineage_file("kept_from")})
        made = made || TRY(sys::exists(store_.disk(), sign));
    if (!made)
        return error(Code::unavailable,
                     "there is nothing in it to open: its making was cut short or is under way, "
                     "or its incarnations are gone");
    Damage damage;
    damage.what = lives_.empty() ? "its incarnations" : "what its moments are opened from";
    damage.file = store::lineage_directory(store_.root().c_str(), found_.lineage).text;
    damage.why = lives_.empty() ? "there is none" : "no moment of it is whole";
    add_range(damage, {});
    add(std::move(damage));
    return {};
}

Result<bool> is_gone(const store::Store& store, uint64_t lineage) {
    std::string directory = store::lineage_directory(store.root().c_str(), lineage).text;
    if (TRY(sys::exists(store.disk(), directory + "/lineage"))) return false;
    return !TRY(has_lost_record(store, lineage));
}

}  // namespace

Result<std::vector<uint64_t>> lineages_to_verify(const store::Store& store) {
    auto lineages = TRY(store.lineages());
    std::set<uint64_t> all(lineages.begin(), lineages.end());
    for (const std::string& name : TRY(sys::list_names(store.disk(), store.root() + "/lineages"))) {
        auto lineage = parse_lineage_id(name);
        if (lineage && !all.contains(*lineage) && TRY(has_lost_record(store, *lineage)))
            all.insert(*lineage);
    }
    return std::vector<uint64_t>(all.begin(), all.end());
}

Result<std::optional<LineageFindings>> verify_lineage(const store::Store& store,
                                                      store::Verifier& verifier, uint64_t lineage) {
    auto held = hold_history(store, lineage);
    bool locked = held.ok();
    if (!locked && held.error().code() == Code::not_found) return std::optional<LineageFindings>();
    // Where nobody can make the lock, nobody can remove anything either.
    if (!locked && held.error().os_errno() != EROFS) return std::move(held).error();
    auto found = LineageCheck(store, verifier, lineage).run();
    bool whole = found && found->damage_count == 0;
    // Of a lineage that is being removed anything may be missing.
    if (!whole && TRY(is_gone(store, lineage))) return std::optional<LineageFindings>();
    return std::optional(TRY(std::move(found)));
}

}  // namespace tarn::compute
