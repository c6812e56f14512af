#include "wal/wal_carry.h"

#include <fcntl.h>

#include <algorithm>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "pg/wal_format.h"
#include "pg/wal_record.h"
#include "sys/files.h"
#include "wal/wal_ahead.h"

namespace tarn::wal {

namespace {

constexpr size_t kChunk = 64 << 10;

// Which bytes of a segment a copy has: its first page, which says whose it is, and a stretch. The
// rest is holes, read as zeros.
struct Stretch {
    uint64_t begin = 0;
    uint64_t end = kSegmentBytes;
};

Result<void> copy_bytes(const SegmentContents& from, const sys::File& to, Stretch stretch) {
    std::vector<char> chunk(kChunk);
    for (uint64_t at = stretch.begin; at < stretch.end;) {
        size_t wanted = std::min<uint64_t>(chunk.size(), stretch.end - at);
        size_t got = TRY(from.read_some(chunk.data(), wanted, at));
        if (got == 0) break;  // a segment that was being made: what is missing is zeros
        if (!is_zeros(chunk.data(), got)) TRY(to.write(chunk.data(), got, at));
        at += got;
    }
    return {};
}

Result<void> copy_first_page(const SegmentContents& from, const sys::File& to, Stretch stretch,
                             uint64_t system_identifier) {
    char page[pg::kWalPageSize];
    size_t wanted = std::min<uint64_t>(sizeof page, stretch.end);
    size_t got = TRY(from.read_some(page, wanted, 0));
    if (is_zeros(page, got)) return {};
    if (system_identifier != 0)
        TRY(pg::patch_segment_system_identifier(std::as_writable_bytes(std::span(page, got)),
                                                system_identifier));
    return to.write(page, got, 0);
}

Result<void> copy_segment(sys::Disk& disk, const WalFiles& files, SegmentId segment,
                          const std::string& target, Stretch stretch, uint64_t system_identifier) {
    std::string path = target + "/" + segment_name(segment);
    SegmentContents from = TRY(files.open(segment));
    sys::File to = TRY(sys::File::open(disk, path, O_RDWR | O_CREAT | O_TRUNC));
    if (int result = disk.truncate(to.fd(), static_cast<int64_t>(kSegmentBytes)); result < 0)
        return errno_error(-result, fmt::format("set the length of {}", path));
    stretch.begin = std::max<uint64_t>(stretch.begin, pg::kWalPageSize);
    TRY_CTX(copy_first_page(from, to, stretch, system_identifier), "copy WAL to {}", path);
    TRY_CTX(copy_bytes(from, to, stretch), "copy WAL to {}", path);
    return to.sync(sys::SyncSite::wal_copy_data);
}

// Replay begins at `from`: pages before it are nobody's business.
uint64_t first_byte(SegmentId segment, Lsn from) {
    if (segment.number != from.value / kSegmentBytes) return 0;
    return from.value % kSegmentBytes / pg::kWalPageSize * pg::kWalPageSize;
}

Result<void> link_segment(sys::Disk& disk, const WalFiles& files, SegmentId segment,
                          const std::string& target) {
    std::string path = target + "/" + segment_name(segment);
    const std::string& from = files.segments().at(segment);
    if (int result = disk.link(from.c_str(), path.c_str()); result < 0)
        return errno_error(-result, fmt::format("link {} to {}", path, from));
    return {};
}

Result<void> copy_histories(sys::Disk& disk, const WalFiles& files, const std::string& target,
                            uint32_t newest) {
    for (const auto& [tli, text] : files.histories()) {
        if (tli > newest) continue;
        char name[pg::kHistoryNameLength + 1];
        pg::format_history_name(tli, name);
        std::string path = target + "/" + name;
        sys::File file = TRY(sys::File::open(disk, path, O_RDWR | O_CREAT | O_TRUNC));
        TRY(file.write(text.data(), text.size(), 0));
        TRY(file.sync(sys::SyncSite::wal_copy_data));
    }
    return {};
}

// Exactly the segments of the plan, the last one cut; of the timelines up to its end. On one that
// begins only there PostgreSQL would not find prepared transactions: it looks for them in segments
// of the timeline that it has replayed.
Result<void> carry_cut(sys::Disk& disk, const WalFiles& files, const std::string& target,
                       const CarryPlan& plan) {
    auto timelines = TRY(files.timelines_from(plan.tli));
    std::erase_if(timelines, [&](const TimelineSpan& span) {
        return span.tli > plan.tli && span.begin >= plan.end;
    });
    TRY(copy_histories(disk, files, target, timelines.back().tli));
    uint64_t last = (plan.end.value - 1) / kSegmentBytes;
    for (uint64_t number = plan.from.value / kSegmentBytes; number <= last; ++number) {
        const SegmentId* segment = files.choose(timelines, number);
        if (!segment)
            return error(Code::data_loss, "there is no WAL segment for {} on timeline {}",
                         Lsn{number * kSegmentBytes}.text(), plan.tli);
        uint64_t end = std::min<uint64_t>(kSegmentBytes, plan.end.value - number * kSegmentBytes);
        TRY(copy_segment(disk, files, *segment, target, {first_byte(*segment, plan.from), end},
                         plan.system_identifier));
    }
    return {};
}

}  // namespace

Result<void> carry(sys::Disk& disk, const WalFiles& files, const std::string& target,
                   const CarryPlan& plan) {
    if (plan.end <= plan.from)
        return error(Code::invalid_argument, "WAL from {} to {} holds no record", plan.from.text(),
                     plan.end.text());
    if (plan.cut) {
        TRY(carry_cut(disk, files, target, plan));
    } else {
        TRY(copy_histories(disk, files, target, ~uint32_t{0}));
        for (const auto& [segment, path] : files.segments()) {
            if (segment.number < plan.from.value / kSegmentBytes) continue;
            bool compressed = is_compressed_name(path);
            if (segment.number > plan.end.value / kSegmentBytes && !compressed &&
                TRY(holds_nothing(disk, path)))
                continue;
            bool linked =
                !compressed && (segment.number + 1) * kSegmentBytes <= plan.link_below.value;
            if (linked)
                TRY(link_segment(disk, files, segment, target));
            else
                TRY(copy_segment(disk, files, segment, target,
                                 {first_byte(segment, plan.from), kSegmentBytes}, 0));
        }
    }
    return sys::sync_directory(disk, target, sys::SyncSite::wal_copy_directory);
}

}  // namespace tarn::wal
