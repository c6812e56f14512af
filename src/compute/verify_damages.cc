#include "compute/verify_damages.h"

#include <set>
#include <tuple>

namespace tarn::compute {

namespace {

bool joins(const MomentRange& range, const MomentRange& next) {
    return range.before && *range.before == next.from && !next.after;
}

}  // namespace

void CheckedLine::find_floor() {
    if (lives.empty()) return;
    // Not known how far back there is WAL: that of the newest moments there must be.
    Lsn from = kept ? kept->lsn : kept_known ? Lsn{} : kNoLimit;
    for (size_t at = 0; at < lives.size(); ++at)
        if (lives[at].life.begin.valid() && lives[at].life.begin <= from) floor_life = at;
    const auto& beginnings = lives[floor_life].beginnings;
    for (size_t at = 0; at < beginnings.size(); ++at)
        if (beginnings[at].readable && beginnings[at].lsn <= from) floor = at;
    floor_may_follow = floor + 1 < beginnings.size() && !beginnings[floor + 1].readable;
}

size_t DamageList::put(Damage damage) {
    ++found_.damage_count;
    if (found_.damages.size() >= LineageFindings::kDamagesKept) return kNotKept;
    found_.damages.push_back(std::move(damage));
    return found_.damages.size() - 1;
}

void DamageList::add_hiding_all(Damage damage) {
    if (size_t at = put(std::move(damage)); at != kNotKept) hiding_all_.push_back(at);
}

void DamageList::add_to(const std::string& key, std::pair<size_t, size_t> beginning,
                        Damage&& damage) {
    auto [at, is_new] = keys_.try_emplace(key, places_.size());
    if (is_new) places_.push_back({put(std::move(damage)), {}});
    Place& place = places_[at->second];
    if (place.damage != kNotKept) place.beginnings.push_back(beginning);
}

void DamageList::tell_moments() {
    for (const Place& place : places_) tell_moments(place);
    for (size_t damage : hiding_all_) add_range(found_.damages[damage], {});
}

void DamageList::add_range(Damage& damage, MomentRange range) const {
    if (line_.kept && range.from < line_.kept->lsn) {
        range.from = line_.kept->lsn;
        range.from_time = line_.kept->time;
    }
    if (range.before && *range.before <= range.from) return;
    if (!damage.moments.empty() && joins(damage.moments.back(), range)) {
        damage.moments.back().before = range.before;
        damage.moments.back().before_time = range.before_time;
    } else {
        damage.moments.push_back(range);
    }
}

void DamageList::tell_moments(const Place& place) {
    if (place.damage == kNotKept) return;
    Damage& damage = found_.damages[place.damage];
    std::set<std::tuple<store::LogId, uint32_t>> told;
    for (auto [number, at] : place.beginnings) {
        const CheckedLife& life = line_.lives[number];
        const Beginning& beginning = life.beginnings[at];
        if (told.emplace(beginning.id.log, beginning.id.number).second)
            damage.points.push_back(beginning.id);
        size_t first = number == line_.floor_life ? line_.floor : 0;
        bool has_older = false;
        for (size_t older = first; older < at; ++older)
            has_older = has_older || life.beginnings[older].readable;
        // In place of one that cannot be read an older one serves, with more WAL.
        if (number < line_.floor_life || (!beginning.readable && has_older)) continue;
        if (beginning.readable && !line_.is_kept(number, at)) continue;
        MomentRange range = life.moments_of(at);
        if (!beginning.readable) range.from = life.life.begin;
        add_range(damage, range);
    }
}

}  // namespace tarn::compute
