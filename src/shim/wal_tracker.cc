#include "shim/wal_tracker.h"

#include <cerrno>
#include <cstring>

#include "pg/wal_name.h"
#include "pg/wal_walker.h"
#include "shim/protocol.h"
#include "shim/real.h"
#include "shim/state.h"

namespace tarn::shim {

namespace {

constexpr uint64_t kSegment = pg::kDefaultWalSegmentSize;
constexpr size_t kWindow = 16384;  // a commit's WAL is mostly within two pages

// The walk, shared by all processes: whoever syncs WAL goes on where the last one stopped.
// PostgreSQL lets one process at a time write WAL and sync it by fdatasync (WALWriteLock), so it
// needs no lock of its own.
struct Walk {
    uint64_t begun;    // 1 once the walker is set up
    uint64_t written;  // end of the newest write
    pg::WalWalker walker;
};
constexpr size_t kPlace = sizeof(WalSegments) + sizeof(ReplayEstimate);
static_assert(kPlace + sizeof(Walk) <= sizeof(store::MapHeader::caller_area));

Walk& shared_walk() {
    return *reinterpret_cast<Walk*>(map().caller_area + kPlace);
}

pg::WalWalkerOptions walk_options() {
    return {.major = static_cast<int>(map().caller_version),
            .segment_size = static_cast<uint32_t>(kSegment)};
}

// Bytes of the log from `lsn` on, out of the synced segment or, where a record began in an earlier
// one, out of that. The size read, 0 where there is nothing yet, or -errno.
int64_t read_wal(int fd, uint32_t tli, uint64_t base, uint64_t lsn, void* data) {
    if (lsn >= base + kSegment) return 0;
    uint64_t left = kSegment - lsn % kSegment;
    size_t size = left < kWindow ? static_cast<size_t>(left) : kWindow;
    auto offset = static_cast<off_t>(lsn % kSegment);
    if (lsn >= base) {
        ssize_t done = real::pread(fd, data, size, offset);
        return done < 0 ? -errno : done;
    }
    char path[64] = "pg_wal/";
    char name[pg::kWalNameLength + 1];
    pg::format_wal_name(tli, lsn / kSegment, kSegment, name);
    std::strcat(path, name);
    int earlier = real::open(path, O_RDONLY | O_CLOEXEC, 0);
    if (earlier < 0) return -errno;
    ssize_t done = real::pread(earlier, data, size, offset);
    int failure = errno;
    real::close(earlier);
    return done < 0 ? -failure : done;
}

// Where much is synced at once (a bulk load, many commits), all of it but the newest page is final:
// PostgreSQL writes a page when everything on it has been copied, or as the last one. So the walk
// can go on at the last place before that page where one can begin. Where there is none for long,
// everything is walked.
void skip_ahead(pg::WalWalker* walker, int fd, uint64_t base, uint64_t end) {
    constexpr uint64_t kPagesTried = 64;  // the longest usual record holds 32 page images
    uint64_t at = end - end % pg::kWalPageSize - pg::kWalPageSize;
    for (uint64_t tried = 0; tried < kPagesTried && at > base; ++tried) {
        at -= pg::kWalPageSize;
        if (at <= walker->needed()) return;
        char header[pg::wal_page_offset::long_size];
        ssize_t size = real::pread(fd, header, sizeof header, static_cast<off_t>(at - base));
        if (size != sizeof header) return;
        uint64_t start = pg::WalWalker::first_start(walk_options(), {at, header, sizeof header});
        if (start == 0) continue;
        *walker = pg::WalWalker(walk_options(), {.lsn = start});
        return;
    }
}

// What replay takes on a machine of today where most records change a page that no record before
// changed: reading that page is most of it (docs/internals/history.md has the measurement). Replay
// of other records is faster than this says.
constexpr uint64_t kRecordNs = 15'000;
constexpr uint64_t kByteNs = 3;

// `bytes` of WAL were synced, of which `walked` have been read and hold `records`.
void estimate_replay(uint64_t bytes, uint64_t walked, uint64_t records) {
    if (walked > 0 && bytes > walked) records = records * bytes / walked;
    ReplayEstimate& estimate = replay_estimate(map());
    uint64_t cost = records * kRecordNs + bytes * kByteNs;
    uint64_t total = estimate.total.fetch_add(cost, std::memory_order_acq_rel) + cost;
    uint64_t at = estimate.ring_at.load(std::memory_order_acquire);
    if (at != 0 && total >= at && estimate.ring_at.compare_exchange_strong(at, 0)) ring();
}

}  // namespace

void wrote_wal(uint64_t end) {
    shared_walk().written = end;
    uint64_t segment = (end - 1) / kSegment;
    if (wal_segments(map()).newest.exchange(segment, std::memory_order_acq_rel) != segment) ring();
}

int track_wal(int fd, uint32_t tli, uint64_t base) {
    static char window_bytes[kWindow];
    Walk& walk = shared_walk();
    if (!walk.begun) {
        walk.walker = pg::WalWalker(walk_options(), {.lsn = map().flushed_position.load()});
        walk.begun = 1;
    }
    // What follows the last whole record is read afresh each time: PostgreSQL syncs pages whose
    // last record is still being copied into them, also where it goes on in the next segment.
    walk.walker.rewind();
    uint64_t before = walk.walker.position().lsn;
    uint64_t end = walk.written < base + kSegment ? walk.written : base + kSegment;
    if (end > walk.walker.needed() + 2 * kWindow) skip_ahead(&walk.walker, fd, base, end);
    uint64_t walked_from = walk.walker.position().lsn, records = 0;
    pg::WalWindow window{walk.walker.needed(), window_bytes, 0};
    pg::WalRecord record;
    for (;;) {
        pg::WalStep step = walk.walker.next(window, &record);
        if (step == pg::WalStep::record) {
            ++records;
            continue;
        }
        if (step == pg::WalStep::end_of_wal) break;  // the bytes after it are still to come
        window.lsn = walk.walker.needed();
        int64_t size = read_wal(fd, tli, base, window.lsn, window_bytes);
        if (size < 0) {
            report("cannot read synced WAL back:", "pg_wal", static_cast<int>(-size));
            return -EIO;
        }
        if (size == 0) break;
        window.size = static_cast<size_t>(size);
    }
    uint64_t now = walk.walker.position().lsn;
    if (now > before) estimate_replay(now - before, now - walked_from, records);
    map().flushed_epoch.store(tli, std::memory_order_release);
    map().flushed_position.store(walk.walker.position().lsn, std::memory_order_release);
    return 0;
}

}  // namespace tarn::shim
