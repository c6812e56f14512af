#include "store/give_back.h"

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "base/crc32c.h"
#include "store/log_state.h"
#include "store/paths.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

constexpr uint64_t kHeadersAUnit = 64;  // 4 KiB of headers: less leaves no hole

// The slots of one segment that stay, one byte each.
using Stays = std::vector<uint8_t>;

struct Logs {
    std::map<std::pair<LogId, uint64_t>, Stays> segments;
    // Of the newest restore point that was looked at: what lies behind it may be in use, or be
    // shown by a newer one.
    LogId newest;
    uint64_t newest_end = 0;
};

Stays& segment_of(Logs& logs, LogId log, uint64_t slot) {
    Stays& stays = logs.segments[{log, slot / kSlotsPerSegment}];
    stays.resize(kSlotsPerSegment);
    return stays;
}

Result<Logs> what_stays(const Store& store, const VersionSpans& found,
                        const std::vector<RestorePointId>& left) {
    Logs logs;
    uint64_t lineage = found.points.back().log.lineage;
    std::vector<uint32_t> left_before{0};  // how many of the first n are left
    for (const RestorePointId& id : found.points)
        left_before.push_back(left_before.back() +
                              (std::binary_search(left.begin(), left.end(), id) ? 1 : 0));
    for (const VersionSpan& span : found.spans)
        if (left_before[span.last + 1] > left_before[span.first])
            segment_of(logs, {lineage, span.incarnation}, span.slot)[span.slot % kSlotsPerSegment] =
                1;
    RestorePoint newest = TRY(store.restore_point(found.points.back()));
    logs.newest = newest.id.log;
    logs.newest_end = newest.seal_slot;
    for (uint64_t hole : newest.holes)
        segment_of(logs, logs.newest, hole)[hole % kSlotsPerSegment] = 1;
    return logs;
}

// Punches the units of a file that hold no slot that stays. `unit` bytes hold `slots` slots.
Result<void> punch(sys::Disk& disk, const std::string& path, const Stays& stays, uint64_t slots,
                   uint64_t unit, uint64_t end) {
    auto opened = sys::File::open(disk, path, O_RDWR);
    // A power cut may have kept the removal of one file of a segment and not of the other.
    if (!opened && opened.error().code() == Code::not_found) return {};
    sys::File file = TRY(std::move(opened));
    auto is_free = [&](uint64_t at) {
        auto first = stays.begin() + static_cast<ptrdiff_t>(at * slots);
        return std::none_of(first, first + static_cast<ptrdiff_t>(slots),
                            [](uint8_t stay) { return stay != 0; });
    };
    for (uint64_t at = 0; at < end / slots;) {
        uint64_t first = at;
        while (at < end / slots && is_free(at)) ++at;
        if (at == first) {
            ++at;
            continue;
        }
        int result = disk.punch(file.fd(), static_cast<int64_t>(first * unit),
                                static_cast<int64_t>((at - first) * unit));
        if (result == -EOPNOTSUPP) return {};  // only whole segments go, then
        if (result < 0) return errno_error(-result, fmt::format("give space of {} back", path));
    }
    return {};
}

// A restore point that could not be saved may come back with a power cut, because the sync of its
// directory has failed. All that it shows and others do not is in its log. A map that is not whole
// is what the power cut has left of it.
Result<bool> is_poisoned(const Store& store, LogId log) {
    auto state = log_state(store.disk(), store.root().c_str(), log);
    if (!state && state.error().code() == Code::data_loss) return false;
    return TRY(std::move(state)) == LogState::poisoned;
}

// Before a slot goes, no power cut may bring a restore point back that shows it.
Result<void> sync_names(const Store& store, uint64_t lineage) {
    for (uint32_t incarnation : TRY(store.incarnations(lineage)))
        TRY(sync_log_directory(store.disk(), store.root().c_str(), {lineage, incarnation}));
    return {};
}

Result<void> remove(sys::Disk& disk, const std::string& path) {
    int result = disk.unlink(path.c_str());
    if (result < 0 && result != -ENOENT)
        return errno_error(-result, fmt::format("remove {}", path));
    return {};
}

}  // namespace

Result<void> GiveBack::run(const Store& store, uint64_t lineage, const VersionSpans& spans) {
    std::vector<RestorePointId> left = TRY(store.restore_points(lineage));
    // Without it, it is not known what the running incarnation may have in hand.
    if (spans.points.empty() || !std::binary_search(left.begin(), left.end(), spans.points.back()))
        return {};
    Logs logs =
        TRY_CTX(what_stays(store, spans, left), "give space back of lineage {:016x}", lineage);
    sys::Disk& disk = store.disk();
    bool synced = false;
    for (uint32_t incarnation : TRY(store.incarnations(lineage))) {
        LogId log{lineage, incarnation};
        if (log > logs.newest) break;
        if (TRY(is_poisoned(store, log))) continue;
        for (uint64_t segment : TRY(segments_of(disk, store.root().c_str(), log))) {
            uint64_t end = kSlotsPerSegment;
            if (log == logs.newest) {
                uint64_t begin = segment * kSlotsPerSegment;
                end = std::clamp(logs.newest_end, begin, begin + kSlotsPerSegment) - begin;
            }
            Stays& stays = segment_of(logs, log, segment * kSlotsPerSegment);
            std::fill(stays.begin() + static_cast<ptrdiff_t>(end), stays.end(), uint8_t{1});
            uint64_t checksum = uint64_t{crc32c(0, stays.data(), stays.size())} << 32 | end;
            auto known = done_.find({log, segment});
            if (known != done_.end() && known->second == checksum) continue;
            if (!synced) TRY(sync_names(store, lineage));
            synced = true;
            auto path = [&](bool slots) {
                return std::string(segment_path(store.root().c_str(), log, segment, slots).text);
            };
            if (std::find(stays.begin(), stays.end(), uint8_t{1}) == stays.end()) {
                TRY(remove(disk, path(false)));
                TRY(remove(disk, path(true)));
                continue;
            }
            TRY(punch(disk, path(false), stays, 1, kBlockBytes, end));
            TRY(punch(disk, path(true), stays, kHeadersAUnit, kHeadersAUnit * sizeof(SlotHeader),
                      end));
            done_[{log, segment}] = checksum;
        }
    }
    return {};
}

}  // namespace tarn::store
