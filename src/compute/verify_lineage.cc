#include "compute/verify_lineage.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compute/attachments.h"
#include "compute/fence.h"
#include "compute/history.h"
#include "compute/layout.h"
#include "compute/lost_records.h"
#include "compute/opening.h"
#include "compute/set_aside.h"
#include "compute/verify_damages.h"
#include "compute/verify_life.h"
#include "pg/relation_path.h"
#include "store/packed_files.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

using store::RestorePointId;

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
        for (size_t at = 0; at < line_.lives.size(); ++at) TRY(read_restore_points(at));
        TRY(read_origins());
        line_.find_floor();
        for (size_t at = line_.floor_life; at < line_.lives.size(); ++at) TRY(read_wal(at));
        damages_.tell_moments();
        if (!damages_.hides_all()) TRY(find_newest_whole());
        if (found_.damage_count == 0 && !found_.newest_whole) TRY(tell_that_nothing_opens());
        return std::move(found_);
    }

  private:
    Result<void> read_record();
    Result<void> read_incarnations();
    Result<void> read_kept_from();
    Result<void> read_set_aside();
    Result<void> read_restore_points(size_t life);
    Result<void> read_restore_point(size_t life, size_t at);
    Result<void> read_pages(const store::RestorePoint& point, size_t life, size_t at);
    Result<void> read_origins();
    Result<void> read_wal(size_t life);
    Result<void> find_newest_whole();
    Result<void> tell_that_nothing_opens();
    Result<std::optional<WholeMoment>> whole_moment(const CheckedLife& life, size_t at) const;

    // Of a record without which no moment is found. Damage passes; any other failure stays one.
    Result<void> need(Result<void> read, const std::string& what, const std::string& file);
    Result<void> note(Result<void> read, const std::string& what, const std::string& file);
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
    CheckedLine line_;
    DamageList damages_{line_, found_};
};

// Nothing if the failure is not one of stored bytes.
std::optional<Damage> damage_of(const Result<void>& read, const std::string& what,
                                const std::string& file) {
    if (read || !store::is_damage(read.error())) return std::nullopt;
    Damage damage;
    damage.what = what;
    damage.file = file;
    damage.why = read.error().message();
    return damage;
}

Result<void> LineageCheck::need(Result<void> read, const std::string& what,
                                const std::string& file) {
    auto damage = damage_of(read, what, file);
    if (!damage) return read;
    damages_.add_hiding_all(std::move(*damage));
    return {};
}

Result<void> LineageCheck::note(Result<void> read, const std::string& what,
                                const std::string& file) {
    auto damage = damage_of(read, what, file);
    if (!damage) return read;
    damages_.add(std::move(*damage));
    return {};
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
        if (!line_.lives.empty()) {
            line_.lives.back().end_known = read.ok();
            if (read) line_.lives.back().life.end = life.life.begin;
            if (read) line_.lives.back().end_time = life.life.begun;
        }
        line_.lives.push_back(std::move(life));
        TRY(need(std::move(read), fmt::format("record of incarnation {}", number),
                 incarnation_path(store_, {found_.lineage, number}) + "/incarnation"));
    }
    return {};
}

Result<void> LineageCheck::read_kept_from() {
    auto kept = kept_from(store_, found_.lineage);
    if (kept) {
        line_.kept = *kept;
        return {};
    }
    line_.kept_known = false;
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
    CheckedLife& life = line_.lives[at];
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
    Beginning& beginning = line_.lives[life].beginnings[at];
    const RestorePointId id = beginning.id;
    bool own = id.log == line_.lives[life].life.log;
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
    damages_.add_to(damage.what, {life, at}, std::move(damage));
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
    bool& whole = line_.lives[life].beginnings[at].whole;
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
        damages_.add_to(damage.what, {life, at}, std::move(damage));
    }
    for (const store::DamagedSlot* slot : shown) {
        whole = false;
        const store::SlotClaim& claim = slot->claim;
        Damage damage;
        damage.what = block_text(claim);
        auto place = store::place_of(store_.disk(), store_.root().c_str(), claim.log, claim.slot);
        damage.file = std::move(place.path);
        damage.offset = place.offset;
        damage.why = slot->why.message();
        damages_.add_to(
            fmt::format("{}/{}/{}", claim.log.lineage, claim.log.incarnation, claim.slot),
            {life, at}, std::move(damage));
    }
    return {};
}

// What records of other lineages the moments rest on, and the parent's restore point, which is the
// first incarnation's base as long as there is one.
Result<void> LineageCheck::read_origins() {
    std::vector<RestorePointId> origins{record_.parent};
    for (const CheckedLife& life : line_.lives) origins.push_back(life.life.base);
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
    bool read_already =
        std::any_of(line_.lives.begin(), line_.lives.end(),
                    [&](const CheckedLife& life) { return life.life.base == record_.parent; });
    if (record_.parent.number == 0 || read_already) return {};
    auto parent = store_.restore_point(record_.parent);
    auto read = parent ? Result<void>() : Result<void>(parent.error());
    return note(
        std::move(read), fmt::format("restore point {}", text_of(record_.parent)),
        store::restore_point_path(store_.root().c_str(), record_.parent.log, record_.parent.number)
            .text);
}

Result<void> LineageCheck::read_wal(size_t at) {
    CheckedLife& life = line_.lives[at];
    const auto& beginnings = life.beginnings;
    for (size_t from = at == line_.floor_life ? line_.floor : 0; from < beginnings.size();) {
        if (!beginnings[from].readable) {
            ++from;
            continue;
        }
        size_t begin = from;
        auto stretch = TRY(read_stretch(store_, life, beginnings[from], system_identifier_,
                                        [this] { return verifier_.go_on(); }));
        bool on_floor = at == line_.floor_life && from == line_.floor;
        // What is left of older WAL, in a segment that has not gone yet, was promised to nobody.
        bool needless =
            stretch.end.records == 0 || (line_.kept && stretch.end.end <= line_.kept->lsn);
        if (on_floor && line_.floor_may_follow && stretch.broken && needless) {
            while (++line_.floor < beginnings.size() && !beginnings[line_.floor].readable) continue;
            line_.floor_may_follow = false;
            from = line_.floor;
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
        damages_.add(std::move(damage));
    }
    return {};
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
    for (size_t number = line_.lives.size(); number-- > line_.floor_life;)
        for (size_t at = line_.lives[number].beginnings.size(); at-- > 0;) {
            if (!line_.is_kept(number, at)) return {};
            found_.newest_whole = TRY(whole_moment(line_.lives[number], at));
            if (found_.newest_whole) return {};
        }
    return {};
}

// Where nothing is damaged, something is whole, or nothing was ever there.
Result<void> LineageCheck::tell_that_nothing_opens() {
    size_t incarnations = TRY(store_.incarnations(found_.lineage)).size(), points = 0;
    for (const CheckedLife& life : line_.lives)
        points += TRY(store_.restore_points(life.life.log)).size();
    if (incarnations > line_.lives.size() || points > found_.restore_points)
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
    damage.what = line_.lives.empty() ? "its incarnations" : "what its moments are opened from";
    damage.file = store::lineage_directory(store_.root().c_str(), found_.lineage).text;
    damage.why = line_.lives.empty() ? "there is none" : "no moment of it is whole";
    damages_.add_range(damage, {});
    damages_.add(std::move(damage));
    return {};
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
