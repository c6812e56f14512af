#include "store/give_back.h"

#include <fcntl.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/crc32c.h"
#include "base/flag_counts.h"
#include "store/log_state.h"
#include "store/paths.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

constexpr uint64_t kHeadersAUnit = 64;  // 4 KiB of headers: less leaves no hole

struct Logs {
    std::map<std::pair<LogId, uint64_t>, Uses> segments;
    // Of the newest restore point that was looked at: what lies behind it may be in use, or be
    // shown by a newer one.
    LogId newest;
    uint64_t newest_end = 0;
};

Uses& segment_of(Logs& logs, LogId log, uint64_t slot) {
    Uses& uses = logs.segments[{log, slot / kSlotsPerSegment}];
    uses.resize(kSlotsPerSegment, Use::none);
    return uses;
}

// Which of the points are among `wanted`.
template <class Container>
FlagCounts flags_of(const std::vector<RestorePointId>& points, const Container& wanted) {
    std::vector<bool> flags;
    for (const RestorePointId& id : points)
        flags.push_back(std::binary_search(wanted.begin(), wanted.end(), id));
    return FlagCounts(flags);
}

Result<Logs> look_at_uses(const Store& store, const VersionSpans& found,
                          const std::vector<RestorePointId>& left,
                          const std::optional<GiveBack::Branched>& branched) {
    Logs logs;
    uint64_t lineage = found.points.back().log.lineage;
    FlagCounts is_left = flags_of(found.points, left);
    FlagCounts is_branched = flags_of(found.points, branched.value_or(GiveBack::Branched{}));
    for (const VersionSpan& span : found.spans) {
        if (is_left.between(span.first, span.last) == 0) continue;
        bool is_read = !branched || span.last + 1 == found.points.size() ||
                       is_branched.between(span.first, span.last) > 0;
        Use& use =
            segment_of(logs, {lineage, span.incarnation}, span.slot)[span.slot % kSlotsPerSegment];
        use = std::max(use, is_read ? Use::plain : Use::history);
    }
    RestorePoint newest = TRY(store.restore_point(found.points.back()));
    logs.newest = newest.id.log;
    logs.newest_end = newest.seal_slot;
    for (uint64_t hole : newest.holes)
        segment_of(logs, logs.newest, hole)[hole % kSlotsPerSegment] = Use::plain;
    return logs;
}

bool is_set(const std::vector<bool>& flags, uint64_t at) {
    return at < flags.size() && flags[at];
}

using Stretch = std::pair<uint64_t, uint64_t>;  // begin and end

// Those of numbers below `size` that are so, at least `least` of them.
template <class Is>
std::vector<Stretch> stretches(uint64_t size, uint64_t least, const Is& is) {
    std::vector<Stretch> found;
    for (uint64_t at = 0; at < size; ++at) {
        uint64_t begin = at;
        while (at < size && is(at)) ++at;
        if (at > begin && at - begin >= least) found.emplace_back(begin, at);
    }
    return found;
}

// Makes holes of the units of a file whose slots are all free, but for those that are noted to be
// holes already, and of stretches shorter than `least`. `unit` bytes hold `slots` slots.
Result<void> punch(sys::Disk& disk, const std::string& path, const std::vector<bool>& free,
                   uint64_t slots, uint64_t unit, uint64_t least, std::vector<bool>& holes) {
    auto opened = sys::File::open(disk, path, O_RDWR);
    // A power cut may have kept the removal of one file of a segment and not of the other.
    if (!opened && opened.error().code() == Code::not_found) return {};
    sys::File file = TRY(std::move(opened));
    const uint64_t units = free.size() / slots;
    holes.resize(units);
    auto can_go = [&](uint64_t at) {
        auto first = free.begin() + static_cast<ptrdiff_t>(at * slots);
        return !holes[at] && std::all_of(first, first + static_cast<ptrdiff_t>(slots),
                                         [](bool is) { return is; });
    };
    for (auto [begin, end] : stretches(units, least, can_go)) {
        int result = disk.punch(file.fd(), static_cast<int64_t>(begin * unit),
                                static_cast<int64_t>((end - begin) * unit));
        if (result == -EOPNOTSUPP) return {};  // only whole segments go, then
        if (result < 0) return errno_error(-result, fmt::format("give space of {} back", path));
        std::fill(holes.begin() + static_cast<ptrdiff_t>(begin),
                  holes.begin() + static_cast<ptrdiff_t>(end), true);
    }
    return {};
}

// Asked behind the last slot that there can be.
Result<bool> makes_holes(sys::Disk& disk, const std::string& path) {
    sys::File file = TRY(sys::File::open(disk, path, O_RDWR));
    constexpr uint64_t kEnd = kSlotsPerSegment * kBlockBytes;
    int result = disk.punch(file.fd(), static_cast<int64_t>(kEnd), kBlockBytes);
    if (result < 0 && result != -EOPNOTSUPP)
        return errno_error(-result, fmt::format("give space of {} back", path));
    return result == 0;
}

// A restore point that could not be saved may come back with a power cut, because the sync of its
// directory has failed. All that it shows and others do not is in its log.
Result<bool> is_poisoned(const Store& store, LogId log) {
    return TRY(log_state(store.disk(), store.root().c_str(), log)) == LogState::poisoned;
}

// Before a slot goes, no power cut may bring a restore point back that shows it.
Result<void> sync_names(const Store& store, uint64_t lineage) {
    for (uint32_t incarnation : TRY(store.incarnations(lineage)))
        TRY(sync_log_directory(store.disk(), store.root().c_str(), {lineage, incarnation}));
    return {};
}

bool has_history(const Uses& uses) {
    return std::find(uses.begin(), uses.end(), Use::history) != uses.end();
}

// With what a crash has left of the writing of one.
Result<void> remove_segments(const Store& store, LogId log, const std::set<uint64_t>& unused) {
    if (unused.empty()) return {};
    std::string directory = incarnation_directory(store.root().c_str(), log).text;
    for (const std::string& name : TRY(sys::list_names(store.disk(), directory))) {
        bool unfinished = name.ends_with(sys::kUnfinishedSuffix);
        auto segment = segment_in(
            name.substr(0, name.size() - (unfinished ? sys::kUnfinishedSuffix.size() : 0)));
        if (segment && unused.contains(*segment))
            TRY(sys::remove_tree(store.disk(), directory + "/" + name));
    }
    return {};
}

}  // namespace

struct GiveBack::Round {
    const Store& store;
    Logs logs;
    uint32_t pages;                     // that may still be packed
    std::optional<Time> now;            // nothing: no segment waits
    bool synced = false;                // no power cut brings back what has gone
    std::optional<Error> failure = {};  // the first; it keeps no other segment from its turn
};

// A segment that is to be settled.
struct GiveBack::Work {
    LogId log;
    uint64_t number;
    SegmentPacker packer;
    const Uses& uses;
    bool wholly;  // with small holes too
    Segment& kept;
};

Result<uint64_t> GiveBack::run(const Store& store, uint64_t lineage, const VersionSpans& spans,
                               const std::optional<Branched>& branched, std::optional<Time> now) {
    std::vector<RestorePointId> left = TRY(store.restore_points(lineage));
    // Without it, it is not known what the running incarnation may have in hand.
    if (spans.points.empty() || !std::binary_search(left.begin(), left.end(), spans.points.back()))
        return uint64_t{0};
    const uint32_t most = branched ? limits_.pages_a_round : 0;
    Round round{store,
                TRY_CTX(look_at_uses(store, spans, left, branched),
                        "give space back of lineage {:016x}", lineage),
                most, now};
    for (uint32_t incarnation : TRY(store.incarnations(lineage))) {
        LogId log{lineage, incarnation};
        if (log > round.logs.newest) break;
        if (!TRY(is_poisoned(store, log))) TRY(look_at_log(round, log));
    }
    if (round.failure) return *round.failure;
    return uint64_t{most - round.pages};
}

Result<void> GiveBack::look_at_log(Round& round, LogId log) {
    const char* root = round.store.root().c_str();
    auto numbers = TRY(packed_numbers(round.store.disk(), root, log));
    std::set<uint64_t> unused;
    for (uint64_t segment : TRY(segments_of(round.store.disk(), root, log))) {
        SegmentPacker packer(round.store.disk(), root, log, segment, numbers[segment]);
        bool is_unused = TRY(look_at_segment(round, log, segment, std::move(packer)));
        if (is_unused) unused.insert(segment);
    }
    return remove_segments(round.store, log, unused);
}

// Answers whether nobody shows anything of it.
Result<bool> GiveBack::look_at_segment(Round& round, LogId log, uint64_t segment,
                                       SegmentPacker packer) {
    uint64_t end = kSlotsPerSegment;
    if (log == round.logs.newest) {
        uint64_t begin = segment * kSlotsPerSegment;
        end = std::clamp(round.logs.newest_end, begin, begin + kSlotsPerSegment) - begin;
    }
    Uses& uses = segment_of(round.logs, log, segment * kSlotsPerSegment);
    std::fill(uses.begin() + static_cast<ptrdiff_t>(end), uses.end(), Use::plain);
    uint64_t checksum = uint64_t{crc32c(0, uses.data(), uses.size())} << 32 | end;
    auto known = segments_.find({log, segment});
    if (known != segments_.end() && known->second.settled == checksum) return false;
    if (std::all_of(uses.begin(), uses.end(), [](Use use) { return use == Use::none; })) {
        TRY(sync_once(round, log.lineage));
        segments_.erase({log, segment});
        return true;
    }
    Segment& kept = segments_[{log, segment}];
    if (round.now) kept.waits_since = std::min(kept.waits_since.value_or(*round.now), *round.now);
    bool wholly = !round.now || end <= limits_.least_slots ||
                  *round.now >= *kept.waits_since + limits_.longest_wait;
    if (!wholly && may_wait(kept, uses, end)) return false;
    TRY(sync_once(round, log.lineage));
    Work work{log, segment, std::move(packer), uses, wholly, kept};
    auto settled = settle(round, work);
    kept.settled = settled.ok() && *settled ? std::optional(checksum) : std::nullopt;
    if (kept.settled) kept.waits_since.reset();
    if (!settled.ok()) kept.waits_since = round.now;
    if (!settled.ok() && !round.failure) round.failure = std::move(settled).error();
    return false;
}

// Before anything goes.
Result<void> GiveBack::sync_once(Round& round, uint64_t lineage) {
    if (!round.synced) TRY(sync_names(round.store, lineage));
    round.synced = true;
    return {};
}

// Too little of it can go.
bool GiveBack::may_wait(const Segment& kept, const Uses& uses, uint64_t end) const {
    auto can_go = [&](uint64_t at) {
        return uses[at] != Use::plain && !is_set(kept.holes, at) && !is_set(kept.packed, at);
    };
    uint64_t takes = 0, could_go = 0;
    for (uint64_t at = 0; at < end; ++at)
        if (!is_set(kept.holes, at)) ++takes;
    for (auto [begin, until] : stretches(end, limits_.least_hole, can_go))
        could_go += until - begin;
    return could_go == 0 ||
           static_cast<double>(could_go) < limits_.least_share * static_cast<double>(takes);
}

// Answers whether the segment is as it should be.
Result<bool> GiveBack::settle(Round& round, Work& work) const {
    // Packing needs room, of which there may be little. Otherwise what is free and what is packed
    // become one hole where they touch.
    if (work.wholly) TRY(make_holes(round, work));
    auto packed = pack(round, work);
    TRY(make_holes(round, work));
    return TRY(std::move(packed)) && work.wholly;
}

Result<void> GiveBack::make_holes(Round& round, Work& work) const {
    sys::Disk& disk = round.store.disk();
    const char* root = round.store.root().c_str();
    std::vector<bool> unused, free;
    for (uint64_t at = 0; at < work.uses.size(); ++at) {
        unused.push_back(work.uses[at] == Use::none);
        free.push_back(unused[at] ||
                       (work.uses[at] == Use::history && is_set(work.kept.packed, at)));
    }
    TRY(punch(disk, segment_path(root, work.log, work.number, false).text, free, 1, kBlockBytes,
              work.wholly ? 1 : limits_.least_hole, work.kept.holes));
    return punch(disk, segment_path(root, work.log, work.number, true).text, unused, kHeadersAUnit,
                 kHeadersAUnit * sizeof(SlotHeader), 1, work.kept.header_holes);
}

// Answers whether all is packed that should be.
Result<bool> GiveBack::pack(Round& round, Work& work) const {
    if (!work.packer.has_files()) work.kept.packed.clear();
    if (!work.packer.has_files() && !has_history(work.uses)) return true;
    if (round.pages == 0) return false;
    // Where a page that was packed would take its place still, nothing is won.
    const char* root = round.store.root().c_str();
    std::string path = segment_path(root, work.log, work.number, false).text;
    if (!TRY(makes_holes(round.store.disk(), path))) return true;
    const uint32_t before = round.pages;
    auto packed = work.packer.run(work.uses, work.kept.holes, limits_.least_pages, round.pages);
    if (!packed.ok() && packed.error().code() == Code::no_space) {
        round.pages = before;
        return true;  // it may suffice when something has changed
    }
    if (!packed.ok()) return std::move(packed).error();
    if (TRY(is_poisoned(round.store, work.log))) return false;
    if (*packed) work.kept.packed = std::move(**packed);
    return round.pages > 0;
}

std::optional<Time> GiveBack::due() const {
    std::optional<Time> first;
    for (const auto& [id, kept] : segments_)
        if (kept.waits_since)
            first = std::min(first.value_or(*kept.waits_since), *kept.waits_since);
    if (first) *first += limits_.longest_wait;
    return first;
}

}  // namespace tarn::store
