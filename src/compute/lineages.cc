#include "compute/lineages.h"

#include <unistd.h>

#include "base/log.h"
#include "compute/attachments.h"
#include "compute/birth.h"
#include "compute/history.h"
#include "compute/lives.h"
#include "compute/lost_records.h"
#include "compute/set_aside.h"
#include "compute/spares.h"
#include "compute/template.h"
#include "sys/clock.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

constexpr std::string_view kDroppedPrefix = "dropped-";
// Records that were looked at lately are not looked at again to say who names what.
constexpr std::chrono::seconds kOriginsAge{1};
// Longer than most backups take. Then the status says that nothing goes meanwhile.
constexpr std::chrono::minutes kHeldForLong{30};

}  // namespace

std::string dropped_marker(const std::string& store_root, uint64_t lineage) {
    return fmt::format("{}/{}{}", store_root, kDroppedPrefix, lineage_text(lineage));
}

Lineages::Lineages(store::Store& store, const Layout& layout, const ComputeUser& user,
                   const std::map<int, PostgresInstall>& installs)
    : store_(store), layout_(layout), user_(user), installs_(installs) {}

Result<void> Lineages::create_root(uint64_t lineage, int pg_major) {
    if (lineage < kFirstProjectLineage)
        return error(Code::invalid_argument, "lineage {} is reserved for a template",
                     lineage_text(lineage));
    auto install = installs_.find(pg_major);
    if (install == installs_.end()) return not_installed(pg_major);
    std::lock_guard one(births_);
    ActAs acting(user_);
    if (is_made(store_, lineage)) return {};
    bool first = TRY(ensure_template(store_, install->second, user_, layout_.templates()));
    // The first project waits for its template anyway; its start then finds everything ready.
    if (first) TRY(fill_spares(store_, layout_.spares(), pg_major));
    TRY_CTX(make_root(store_, lineage, template_lineage(pg_major)), "make lineage {}",
            lineage_text(lineage));
    return {};
}

Result<BranchPoint> Lineages::create_branch(uint64_t lineage, uint64_t parent,
                                            const Moment& moment) {
    std::lock_guard one(births_);
    ActAs acting(user_);
    if (is_made(store_, lineage)) {
        auto incarnations = TRY(store_.incarnations(lineage));
        auto first = TRY(store_.incarnation({lineage, incarnations.front()}));
        return BranchPoint{TRY(lsn_attachment(first.attachments, incarnation_key::wal_end)),
                           TRY(time_attachment(first.attachments, incarnation_key::begun))};
    }
    return TRY_CTX(make_branch(store_, lineage, parent, moment), "branch lineage {} from {}",
                   lineage_text(lineage), lineage_text(parent));
}

Result<BranchPoint> Lineages::find_moment(uint64_t lineage, const Moment& moment) const {
    ActAs acting(user_);
    auto source = TRY(compute::find_moment(store_, lineage, moment));
    return BranchPoint{source.end.end, source.time};
}

Result<void> Lineages::set_aside(uint64_t lineage, Time from) const {
    ActAs acting(user_);
    return write_set_aside(store_, lineage, {from, sys::real_clock().now()});
}

Result<void> Lineages::begin_history(uint64_t lineage) const {
    ActAs acting(user_);
    auto now = TRY(compute::find_moment(store_, lineage, Newest{}));
    return write_kept_from(store_, lineage, {now.end.end, now.time});
}

Result<void> Lineages::trim_one(uint64_t lineage, Time time, const HistoryLimits& limits) {
    auto trimmed = compute::trim_history(store_, lineage, time, sys::real_clock().now(), limits,
                                         origins_, rounds_[lineage]);
    if (!is_made(store_, lineage)) return {};  // it has been removed meanwhile
    note_cost(lineage, look_at_cost(lineage, trimmed));
    TRY_CTX(std::move(trimmed), "trim the history of lineage {}", lineage_text(lineage));
    return {};
}

// Who names what changes without a restore point of this lineage: so it is looked at anew.
HistoryCost Lineages::look_at_cost(uint64_t lineage, const Result<void>& trimmed) {
    auto now = std::chrono::steady_clock::now();
    Result<void> looked;
    if (now - looked_ >= kOriginsAge) {
        looked = origins_.look(store_);
        looked_ = now;
    }
    auto named = origins_.named_of(lineage);
    const HistoryRounds& rounds = rounds_[lineage];
    HistoryCost cost = cost_of(rounds.measured, named.ok() ? *named : store::Origins::Named());
    Time today = sys::real_clock().now();
    if (cost.measured == Time{}) cost.measured = today;  // it has not come to that
    if (rounds.held_since && today - *rounds.held_since > kHeldForLong)
        cost.failure = fmt::format(
            "history has been held since {}: a backup, or what else reads it, "
            "has not ended",
            rfc3339(*rounds.held_since));
    cost.wal_bytes = wal_bytes_of(store_, lineage);
    auto kept = kept_from(store_, lineage);
    if (kept.ok() && *kept) cost.from = (*kept)->time;
    for (const Error* failure :
         {trimmed.ok() ? nullptr : &trimmed.error(), looked.ok() ? nullptr : &looked.error(),
          named.ok() ? nullptr : &named.error()})
        if (failure && cost.failure.empty()) cost.failure = failure->text();
    return cost;
}

void Lineages::note_cost(uint64_t lineage, HistoryCost cost) {
    std::lock_guard held(costs_mutex_);
    forget_cost(lineage);
    LineageId own = lineage_text(lineage);
    for (const HistoryCost::Pin& pin : cost.pins)
        for (const LineageId& other : pin.by)
            if (other != own) kept_for_[other] = {lineage, pin.bytes};
    costs_[lineage] = std::move(cost);
}

void Lineages::forget_cost(uint64_t lineage) {
    auto cost = costs_.find(lineage);
    if (cost == costs_.end()) return;
    for (const HistoryCost::Pin& pin : cost->second.pins)
        for (const LineageId& other : pin.by) {
            auto kept = kept_for_.find(other);
            if (kept != kept_for_.end() && kept->second.first == lineage) kept_for_.erase(kept);
        }
    costs_.erase(cost);
}

std::optional<uint64_t> Lineages::kept_for(const LineageId& lineage) const {
    std::lock_guard held(costs_mutex_);
    auto found = kept_for_.find(lineage);
    return found == kept_for_.end() ? std::nullopt : std::optional(found->second.second);
}

std::optional<HistoryCost> Lineages::history(uint64_t lineage) const {
    std::lock_guard held(costs_mutex_);
    auto found = costs_.find(lineage);
    return found == costs_.end() ? std::nullopt : std::optional(found->second);
}

Result<bool> Lineages::trim_history(uint64_t lineage, Time time, const HistoryLimits& limits) {
    auto one = take_trimming();
    ActAs acting(user_);
    TRY(trim_one(lineage, time, limits));
    bool has_more = rounds_[lineage].has_more;
    // Nobody asks for those that were dropped and that this one needs. They are of one project, so
    // what they are needed for reaches as far back.
    for (auto above = TRY(parent_of(store_, lineage)); above && is_made(store_, *above);
         above = TRY(parent_of(store_, *above))) {
        if (::access(dropped_marker(store_.root(), *above).c_str(), F_OK) != 0) continue;
        TRY(trim_one(*above, time, limits));
        has_more = has_more || rounds_[*above].has_more;
    }
    return has_more;
}

Result<void> Lineages::drop(uint64_t lineage) {
    auto no_compressing = stop_compressing();
    auto no_trimming = take_trimming();  // waited for before anybody waits for this
    std::lock_guard one(births_);
    ActAs acting(user_);
    // Durable, because the metadata forgets the branch next: without it nobody would come back.
    auto marked =
        sys::create_durably(store_.disk(), dropped_marker(store_.root(), lineage), "",
                            sys::SyncSite::lineage_data, sys::SyncSite::lineage_directory);
    if (!marked && marked.error().code() != Code::already_exists) return marked;
    return sweep_dropped(lineage);
}

// What cannot be cleaned up is told, and is no reason not to start.
void Lineages::remove_leftovers() {
    auto no_compressing = stop_compressing();
    auto no_trimming = take_trimming();  // waited for before anybody waits for this
    std::lock_guard one(births_);
    ActAs acting(user_);
    auto removed = store_.remove_unfinished([this](uint64_t lineage) { return stays(lineage); });
    auto swept = sweep_dropped(std::nullopt);
    for (const auto* done : {&removed, &swept})
        if (!*done) log::error("compute: remove leftovers: {}", done->error().text());
}

// Of a lineage without a record. What is dropped goes when nobody needs it any more; else only what
// a making was cut short of, which holds nothing yet.
bool Lineages::stays(uint64_t lineage) const {
    auto dropped = sys::exists(store_.disk(), dropped_marker(store_.root(), lineage));
    if (dropped && *dropped) return true;
    auto lost = dropped ? has_lost_record(store_, lineage) : Result<bool>(dropped.error());
    if (lost && !*lost) return false;
    log::error(
        "compute: lineage {} stays as it is, and cannot be opened: {} (hint: see What to do in "
        "docs/operate/verify.md)",
        lineage_text(lineage), lost ? "its record is gone" : lost.error().text());
    return true;
}

// Dropped lineages go when no child needs their history any more; that may let their own parents
// go. One that cannot be removed holds up none of the others; it fails who has asked for it.
Result<void> Lineages::sweep_dropped(std::optional<uint64_t> asked_for) {
    std::map<uint64_t, Error> failures;
    for (bool removed = true; removed;) {
        removed = false;
        for (const auto& name :
             TRY(sys::list_names_if_any(sys::real_disk(), layout_.store_root()))) {
            if (!name.starts_with(kDroppedPrefix)) continue;
            auto lineage = parse_lineage_id(name.substr(kDroppedPrefix.size()));
            if (!lineage || failures.contains(*lineage)) continue;
            auto swept = sweep(*lineage);
            if (!swept)
                failures.emplace(*lineage, std::move(swept).error());
            else if (*swept)
                removed = true;
        }
    }
    for (auto& [lineage, failure] : failures)
        if (lineage != asked_for)
            log::error("compute: remove dropped lineage {}: {}", lineage_text(lineage),
                       failure.text());
    auto own = asked_for ? failures.find(*asked_for) : failures.end();
    if (own != failures.end()) return std::move(own->second);
    return {};
}

// Removes a dropped lineage; false if something needs it still.
Result<bool> Lineages::sweep(uint64_t lineage) {
    auto children = TRY(store_.dependents(lineage));
    if (!children.empty()) return false;
    TRY(store_.remove_lineage(lineage));
    rounds_.erase(lineage);
    {
        std::lock_guard held(costs_mutex_);
        forget_cost(lineage);
    }
    return ::unlink(dropped_marker(store_.root(), lineage).c_str()) == 0;
}

Result<uint64_t> Lineages::logical_size(uint64_t lineage) const {
    ActAs acting(user_);
    return bytes_of_files(TRY(store_.newest_restore_point(lineage)));
}

Result<std::vector<uint64_t>> Lineages::all() const {
    return store_.lineages();
}

Result<uint64_t> Lineages::compress_wal(uint64_t lineage, const std::function<bool()>& go_on) {
    if (waiting_ > 0) return uint64_t{0};
    std::lock_guard one(compressing_);
    if (!is_made(store_, lineage)) return uint64_t{0};
    return compress_archived_wal(
        store_, lineage, [&] { return waiting_ == 0 && go_on(); }, unreadable_wal_);
}

// Who waits is next, and not the thread that trims one history after the other.
std::unique_lock<std::mutex> Lineages::take_trimming() {
    std::lock_guard next(next_to_trim_);
    return std::unique_lock(trimming_);
}

std::unique_lock<std::mutex> Lineages::stop_compressing() {
    ++waiting_;
    std::unique_lock lock(compressing_);
    --waiting_;
    return lock;
}

}  // namespace tarn::compute
