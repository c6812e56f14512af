#include "store/give_back.h"

#include <fcntl.h>

#include <algorithm>
#include <set>

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

// Makes holes of the units of a file whose slots are all free, but for those that are noted to be
// holes already. `unit` bytes hold `slots` slots.
Result<void> punch(sys::Disk& disk, const std::string& path, const std::vector<bool>& free,
                   uint64_t slots, uint64_t unit, std::vector<bool>& holes) {
    auto opened = sys::File::open(disk, path, O_RDWR);
    // A power cut may have kept the removal of one file of a segment and not of the other.
    if (!opened && opened.error().code() == Code::not_found) return {};
    sys::File file = TRY(std::move(opened));
    const uint64_t units = free.size() / slots;
    holes.resize(units);
    auto is_free = [&](uint64_t at) {
        auto first = free.begin() + static_cast<ptrdiff_t>(at * slots);
        return std::all_of(first, first + static_cast<ptrdiff_t>(slots),
                           [](bool is) { return is; });
    };
    for (uint64_t at = 0; at < units;) {
        uint64_t first = at;
        bool some_new = false;
        for (; at < units && is_free(at); ++at) some_new = some_new || !holes[at];
        if (at == first) ++at;
        if (!some_new) continue;
        int result = disk.punch(file.fd(), static_cast<int64_t>(first * unit),
                                static_cast<int64_t>((at - first) * unit));
        if (result == -EOPNOTSUPP) return {};  // only whole segments go, then
        if (result < 0) return errno_error(-result, fmt::format("give space of {} back", path));
        std::fill(holes.begin() + static_cast<ptrdiff_t>(first),
                  holes.begin() + static_cast<ptrdiff_t>(at), true);
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
    bool synced = false;                // no power cut brings back what has gone
    std::optional<Error> failure = {};  // the first; it keeps no other segment from its turn
};

Result<uint64_t> GiveBack::run(const Store& store, uint64_t lineage, const VersionSpans& spans,
                               const std::optional<Branched>& branched) {
    std::vector<RestorePointId> left = TRY(store.restore_points(lineage));
    // Without it, it is not known what the running incarnation may have in hand.
    if (spans.points.empty() || !std::binary_search(left.begin(), left.end(), spans.points.back()))
        return uint64_t{0};
    const uint32_t most = branched ? limits_.pages_a_round : 0;
    Round round{store,
                TRY_CTX(look_at_uses(store, spans, left, branched),
                        "give space back of lineage {:016x}", lineage),
                most};
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
    if (!round.synced) TRY(sync_names(round.store, log.lineage));
    round.synced = true;
    if (std::all_of(uses.begin(), uses.end(), [](Use use) { return use == Use::none; })) {
        segments_.erase({log, segment});
        return true;
    }
    Segment& kept = segments_[{log, segment}];
    auto settled = settle(round, log, segment, std::move(packer), uses, kept);
    kept.settled = settled.ok() && *settled ? std::optional(checksum) : std::nullopt;
    if (!settled.ok() && !round.failure) round.failure = std::move(settled).error();
    return false;
}

// Answers whether the segment is as it should be.
Result<bool> GiveBack::settle(Round& round, LogId log, uint64_t number, SegmentPacker packer,
                              const Uses& uses, Segment& segment) const {
    sys::Disk& disk = round.store.disk();
    const char* root = round.store.root().c_str();
    std::string pages = segment_path(root, log, number, false).text;
    std::string slots = segment_path(root, log, number, true).text;
    std::vector<bool> free;
    for (Use use : uses) free.push_back(use == Use::none);
    TRY(punch(disk, pages, free, 1, kBlockBytes, segment.pages));
    TRY(punch(disk, slots, free, kHeadersAUnit, kHeadersAUnit * sizeof(SlotHeader),
              segment.headers));
    if (!packer.has_files() && !has_history(uses)) return true;
    if (round.pages == 0) return false;
    // Where a page that was packed would take its place still, nothing is won.
    if (!TRY(makes_holes(disk, pages))) return true;
    auto moved = packer.run(uses, limits_.least_pages, round.pages);
    // What is free now may suffice when something has changed.
    if (!moved.ok() && moved.error().code() == Code::no_space) return true;
    if (!moved.ok()) return std::move(moved).error();
    if (TRY(is_poisoned(round.store, log))) return false;
    for (size_t at = 0; at < free.size(); ++at) free[at] = free[at] || (*moved)[at];
    TRY(punch(disk, pages, free, 1, kBlockBytes, segment.pages));
    return round.pages > 0;
}

}  // namespace tarn::store
