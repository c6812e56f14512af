// verify_damages.h: which moments of a lineage rest on what was found to be damaged.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compute/history.h"
#include "compute/verify_findings.h"
#include "compute/verify_life.h"

namespace tarn::compute {

// The lives of a lineage, and from where on its history is kept.
struct CheckedLine {
    std::vector<CheckedLife> lives;
    std::optional<KeptFrom> kept;
    bool kept_known = true;
    // The first beginning that moments which are kept need: a life, and the beginning in it.
    size_t floor_life = 0, floor = 0;
    // The one that was chosen may be the next one, which cannot be read: then WAL is there for
    // those after it only.
    bool floor_may_follow = false;

    // As history_trim.cc chooses: what the oldest moment that is kept is opened from.
    void find_floor();
    bool is_kept(size_t life, size_t at) const {
        return std::pair(life, at) >= std::pair(floor_life, floor);
    }
};

class DamageList {
  public:
    // Of `line`, into `found`; both outlive it.
    DamageList(const CheckedLine& line, LineageFindings& found) : line_(line), found_(found) {}

    void add(Damage damage) { put(std::move(damage)); }
    // Because of it no moment is found at all.
    void add_hiding_all(Damage damage);
    // A beginning (a life, and its number in it) rests on it. The same object, which `key` names,
    // is one damage, however many beginnings rest on it.
    void add_to(const std::string& key, std::pair<size_t, size_t> beginning, Damage&& damage);

    bool hides_all() const { return !hiding_all_.empty(); }
    // Once all lives are read: says with each damage which moments rest on it.
    void tell_moments();
    void add_range(Damage& damage, MomentRange range) const;

  private:
    struct Place {
        size_t damage;
        std::vector<std::pair<size_t, size_t>> beginnings;
    };
    static constexpr size_t kNotKept = ~size_t{0};

    // Its number in found_.damages, or kNotKept.
    size_t put(Damage damage);
    void tell_moments(const Place& place);

    const CheckedLine& line_;
    LineageFindings& found_;
    std::vector<size_t> hiding_all_;
    std::map<std::string, size_t> keys_;  // of places_
    std::vector<Place> places_;
};

}  // namespace tarn::compute
