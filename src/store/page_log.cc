#include "store/page_log.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "store/paths.h"

namespace tarn::store {

namespace {

// Log space is reserved in steps: small ones first, so that a branch that writes little stays
// little.
constexpr uint64_t kFirstStep = 128;   // 1 MiB of pages
constexpr uint64_t kLaterStep = 2048;  // 16 MiB
constexpr uint64_t kSmallLog = 1024;

constexpr int kReadAttempts = 100;  // of a version that a writer keeps replacing

template <class T>
void raise(std::atomic<T>& value, T least) {
    T current = value.load(std::memory_order_relaxed);
    while (current < least &&
           !value.compare_exchange_weak(current, least, std::memory_order_acq_rel)) {
    }
}

using Transfer = int64_t (sys::Disk::*)(int fd, const iovec* parts, int count, int64_t offset);

// Moves all of the bytes or answers -errno; a disk may take or give less than asked for. A slot is
// never short, so moving nothing is an error too.
int transfer_fully(sys::Disk& disk, Transfer move, int fd, iovec* parts, int count,
                   int64_t offset) {
    while (count > 0) {
        int64_t done = (disk.*move)(fd, parts, count, offset);
        if (done <= 0) return done < 0 ? static_cast<int>(done) : -EIO;
        offset += done;
        for (size_t left = static_cast<size_t>(done); left > 0;) {
            size_t part = left < parts->iov_len ? left : parts->iov_len;
            parts->iov_base = static_cast<char*>(parts->iov_base) + part;
            parts->iov_len -= part;
            left -= part;
            if (parts->iov_len == 0) ++parts, --count;
        }
    }
    return 0;
}

int write_fully(sys::Disk& disk, int fd, iovec* parts, int count, int64_t offset) {
    return transfer_fully(disk, &sys::Disk::pwritev, fd, parts, count, offset);
}

int read_fully(sys::Disk& disk, int fd, iovec* parts, int count, int64_t offset) {
    return transfer_fully(disk, &sys::Disk::preadv, fd, parts, count, offset);
}

}  // namespace

int PageLog::check_live() const {
    return map_.header().state.load(std::memory_order_acquire) == LogState::live ? 0 : -EIO;
}

int PageLog::descriptor(LogId log, uint64_t segment, bool slots) {
    // Segments that follow each other are in sets that do.
    uint64_t place = segment + (slots ? kDescriptorSets / 2 : 0) + log.incarnation + log.lineage;
    Descriptor(&set)[kDescriptorsOfSet] = descriptors_[place % kDescriptorSets];
    Descriptor* oldest = &set[0];
    for (Descriptor& each : set) {
        if (each.fd >= 0 && each.log == log && each.segment == segment && each.slots == slots) {
            each.used = ++uses_;
            return each.fd;
        }
        if (each.used < oldest->used) oldest = &each;
    }
    int fd = open_segment(log, segment, slots);
    if (fd < 0) return fd;
    if (oldest->fd >= 0) disk_.close(oldest->fd);
    *oldest = {log, segment, fd, slots, ++uses_};
    return fd;
}

// Where a process may have few descriptors, those of other segments make room.
int PageLog::open_segment(LogId log, uint64_t segment, bool slots) {
    bool own = log == map_.header().sources[1];
    Path path = segment_path(map_.header().store_root, log, segment, slots);
    for (;;) {
        int fd = disk_.open(path, own ? O_RDWR | O_CREAT : O_RDONLY, 0600);
        if ((fd != -EMFILE && fd != -ENFILE) || !close_least_used()) return fd;
    }
}

bool PageLog::close_least_used() {
    Descriptor* oldest = nullptr;
    for (auto& set : descriptors_)
        for (Descriptor& each : set)
            if (each.fd >= 0 && (!oldest || each.used < oldest->used)) oldest = &each;
    if (!oldest) return false;
    disk_.close(oldest->fd);
    *oldest = {};
    return true;
}

void PageLog::close_descriptors() {
    while (close_least_used()) {
    }
}

// Backs the log with disk space up to and including `slot`, so that a full disk is met here and not
// at a sync. Racing processes reserve the same bytes, which does no harm.
int PageLog::allocate_until(uint64_t slot) {
    MapHeader& map = map_.header();
    for (;;) {
        uint64_t from = map.allocated_slots.load(std::memory_order_acquire);
        if (slot < from) return 0;
        uint64_t segment = from / kSlotsPerSegment;
        uint64_t step = from < kSmallLog ? kFirstStep : kLaterStep;
        uint64_t until = from + step;
        uint64_t segment_end = (segment + 1) * kSlotsPerSegment;
        if (until > segment_end) until = segment_end;
        for (bool slots : {false, true}) {
            int fd = descriptor(map.sources[1], segment, slots);
            if (fd < 0) return fd;
            auto unit = static_cast<int64_t>(slots ? sizeof(SlotHeader) : kBlockBytes);
            int result = disk_.allocate(fd, static_cast<int64_t>(from % kSlotsPerSegment) * unit,
                                        static_cast<int64_t>(until - from) * unit);
            // Without support for it the write itself meets the full disk.
            if (result < 0 && result != -EOPNOTSUPP) return result;
        }
        raise(map.allocated_slots, until);
    }
}

int PageLog::reserve_slots(uint32_t count, uint64_t* first) {
    MapHeader& map = map_.header();
    // Space before numbers: a full disk takes no slot.
    if (int result = allocate_until(map.next_slot.load() + count - 1); result < 0) return result;
    *first = map.next_slot.fetch_add(count, std::memory_order_acq_rel);
    return allocate_until(*first + count - 1);
}

// Writes the staged pages from `first` on, then headers, of slots that lie in one segment.
int PageLog::append_in_segment(SlotHeader* headers, uint32_t first, uint32_t count) {
    LogId own = map_.header().sources[1];
    uint64_t segment = headers[0].slot / kSlotsPerSegment;
    auto place = static_cast<int64_t>(headers[0].slot % kSlotsPerSegment);
    if (headers[0].kind == SlotKind::page) {
        int fd = descriptor(own, segment, false);
        if (fd < 0) return fd;
        iovec part{staged_[first], count * kBlockBytes};
        int result = write_fully(disk_, fd, &part, 1, place * static_cast<int64_t>(kBlockBytes));
        if (result < 0) return result;
    }
    int fd = descriptor(own, segment, true);
    if (fd < 0) return fd;
    iovec part{headers, count * sizeof(SlotHeader)};
    return write_fully(disk_, fd, &part, 1, place * static_cast<int64_t>(sizeof(SlotHeader)));
}

// Counts a completed write: first in its segments, then as a tick (see SegmentSync).
void PageLog::complete(FileEntry* file, uint64_t first_slot, uint64_t last_slot) {
    MapHeader& map = map_.header();
    uint64_t last_segment = last_slot / kSlotsPerSegment;
    for (uint64_t segment = first_slot / kSlotsPerSegment; segment <= last_segment; ++segment)
        map.segments[segment % kSegmentRing].written.fetch_add(1, std::memory_order_acq_rel);
    uint64_t tick = map.completed_ticks.fetch_add(1, std::memory_order_acq_rel) + 1;
    raise(file->last_tick, tick);
}

int PageLog::append(FileEntry* file, SlotKind kind, uint32_t block, const void* const* pages,
                    uint32_t count, Version* versions) {
    MapHeader& map = map_.header();
    uint64_t first;
    if (int result = reserve_slots(count, &first); result < 0) return result;
    SlotHeader headers[kBatch];
    for (uint32_t i = 0; i < count; ++i) {
        SlotHeader& header = headers[i];
        header = {};
        if (kind == SlotKind::page) {
            // PostgreSQL sets hint bits and commit bits in a page while it is being written: the
            // checksum and the disk must get the same bytes.
            std::memcpy(staged_[i], pages[i], kBlockBytes);
            header.page_crc = crc32c(0, staged_[i], kBlockBytes);
        }
        header.slot = first + i;
        header.lineage = map.lineage;
        header.incarnation = map.incarnation;
        header.kind = kind;
        header.file = file->id;
        header.birth = file->birth.load(std::memory_order_acquire);
        header.block = block + i;
        header.crc = header.expected_crc();
        versions[i] = {Location::at(1, first + i), header.page_crc};
    }
    for (uint32_t done = 0; done < count;) {
        uint64_t left = kSlotsPerSegment - headers[done].slot % kSlotsPerSegment;
        uint32_t part = count - done < left ? count - done : static_cast<uint32_t>(left);
        int result = append_in_segment(headers + done, done, part);
        if (result < 0) return result;
        done += part;
    }
    // The ring of sync counters has room for this many segments at once; nobody sleeps through 1
    // TiB of other people's writes, but if somebody did, his page could miss its sync.
    if (map.next_slot.load() / kSlotsPerSegment >= first / kSlotsPerSegment + kSegmentRing)
        return -EIO;
    complete(file, first, first + count - 1);
    return check_live();
}

int PageLog::write_batch(FileEntry* file, uint32_t block, const void* const* pages,
                         uint32_t count) {
    if (int result = map_.reserve(file, block, count); result < 0) return result;
    Version versions[kBatch];
    for (uint32_t done = 0; done < count;) {
        // PostgreSQL extends with zeros first: a block that reads as zeros already needs no slot.
        Version old = map_.lookup(file, block + done);
        bool zeros = old.location.is_zeros() ||
                     (!old.location.known() && block + done >= file->inherited.load());
        if (zeros && is_zeros(pages[done], kBlockBytes)) {
            ++done;
            continue;
        }
        uint32_t run = 1;
        while (done + run < count && !is_zeros(pages[done + run], kBlockBytes)) ++run;
        int result = append(file, SlotKind::page, block + done, pages + done, run, versions);
        if (result < 0) return result;
        for (uint32_t i = 0; i < run; ++i)
            if (result = map_.publish(file, block + done + i, versions[i]); result < 0)
                return result;
        done += run;
    }
    return 0;
}

int PageLog::write(FileEntry* file, uint32_t block, const void* const* pages, uint32_t count) {
    if (block + uint64_t{count} > kMaxBlocks) return -EFBIG;
    for (uint32_t done = 0; done < count;) {
        if (int result = check_live(); result < 0) return result;
        uint32_t part = count - done < kBatch ? count - done : kBatch;
        if (int result = write_batch(file, block + done, pages + done, part); result < 0)
            return result;
        done += part;
    }
    return 0;
}

// The version of a block, asked of the ancestors if need be. version->location unknown: zeros.
int PageLog::resolve(FileEntry* file, uint32_t block, Version* version) {
    *version = map_.lookup(file, block);
    if (version->location.known()) return 0;
    if (block >= file->inherited.load(std::memory_order_acquire)) return 0;
    bool known;
    int result = indexes_.lookup(disk_, map_.header(), file, block, version, &known);
    if (result < 0) return result;
    if (!known) *version = {Location::zeros(), 0};
    map_.remember(file, block, *version);
    return 0;
}

// Reads slots that follow each other in one segment. *cold, if asked for, is set if the disk had to
// be.
int PageLog::read_run(const Version* versions, void* const* pages, uint32_t count, bool* cold) {
    Location first = versions[0].location;
    const MapHeader& map = map_.header();
    if (first.source() >= map.source_count) return -EIO;
    int fd = descriptor(map.sources[first.source()], first.slot() / kSlotsPerSegment, false);
    if (fd < 0) return -EIO;
    iovec parts[kBatch];
    for (uint32_t i = 0; i < count; ++i) parts[i] = {pages[i], kBlockBytes};
    auto place = static_cast<int64_t>(first.slot() % kSlotsPerSegment * kBlockBytes);
    auto wanted = static_cast<int64_t>(count * kBlockBytes);
    if (cold) {
        if (disk_.preadv_cached(fd, parts, static_cast<int>(count), place) == wanted) return 0;
        *cold = true;
    } else if (count == 1 && disk_.pread(fd, pages[0], kBlockBytes, place) == wanted) {
        return 0;
    }
    return read_fully(disk_, fd, parts, static_cast<int>(count), place);
}

bool PageLog::is_whole(const Version& version, const void* page) {
    return crc32c(0, page, kBlockBytes) == version.page_crc;
}

bool PageLog::read_packed(const Version& version, void* page) {
    const MapHeader& map = map_.header();
    uint16_t source = version.location.source();
    return source < map.source_count &&
           packed_.read(disk_, map.store_root,
                        {map.sources[source], version.location.slot(), version.page_crc},
                        page) == 0;
}

// Reads one page that could not be read, or whose checksum did not hold: again for as long as it
// lies elsewhere meanwhile (a writer has replaced it, or it was moved and its old place given
// back), else the stored bytes are damaged.
int PageLog::read_checked(FileEntry* file, uint32_t block, Version version, void* page) {
    for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
        Version now;
        if (int result = resolve(file, block, &now); result < 0) return result;
        if (!now.location.known() || now.location.is_zeros()) {
            std::memset(page, 0, kBlockBytes);
            return 0;
        }
        bool same = now.location == version.location && now.page_crc == version.page_crc;
        if (same && attempt > 0) return -EIO;
        int result = read_run(&now, &page, 1, nullptr);
        if ((result == 0 && is_whole(now, page)) || read_packed(now, page)) return 0;
        version = now;
    }
    return -EIO;
}

int PageLog::read(FileEntry* file, uint32_t block, void* const* pages, uint32_t count) {
    bool cold = false;
    bool* watched = read_ahead_.follows(file, block) ? &cold : nullptr;
    for (uint32_t done = 0; done < count;) {
        Version run[kBatch];
        if (int result = resolve(file, block + done, &run[0]); result < 0) return result;
        if (!run[0].location.known() || run[0].location.is_zeros()) {
            std::memset(pages[done++], 0, kBlockBytes);
            continue;
        }
        uint32_t length = 1;
        uint64_t place = run[0].location.slot() % kSlotsPerSegment;
        while (done + length < count && length < kBatch && place + length < kSlotsPerSegment) {
            if (int result = resolve(file, block + done + length, &run[length]); result < 0)
                return result;
            if (run[length].location.word != run[0].location.word + length) break;
            ++length;
        }
        bool there = read_run(run, pages + done, length, watched) == 0;
        for (uint32_t i = 0; i < length; ++i)
            if (!(there && is_whole(run[i], pages[done + i])) &&
                !read_packed(run[i], pages[done + i]))
                if (int result = read_checked(file, block + done + i, run[i], pages[done + i]);
                    result < 0)
                    return result;
        done += length;
    }
    read_ahead(file, block, count, cold);
    return 0;
}

void PageLog::read_ahead(FileEntry* file, uint32_t block, uint32_t count, bool cold) {
    ReadAhead::Window window = read_ahead_.next(file, block, count, cold);
    uint32_t length = file->length.load(std::memory_order_acquire);
    if (window.count == 0 || window.block >= length) return;
    if (window.count > length - window.block) window.count = length - window.block;
    // A window that seems to be in memory is not asked for. The stream goes on: the kernel's own
    // read-ahead, which may have brought it, can end with it.
    if (is_cached(file, window.block) && is_cached(file, window.block + window.count - 1)) return;
    prefetch(file, window.block, window.count);
}

bool PageLog::is_cached(FileEntry* file, uint32_t block) {
    Version version;
    if (resolve(file, block, &version) < 0) return false;  // reading it will tell
    Location location = version.location;
    if (!location.known() || location.is_zeros()) return true;
    if (location.source() >= map_.header().source_count) return true;
    int fd = descriptor(map_.header().sources[location.source()],
                        location.slot() / kSlotsPerSegment, false);
    char byte;
    iovec part{&byte, 1};
    return fd >= 0 && disk_.preadv_cached(fd, &part, 1,
                                          static_cast<int64_t>(location.slot() % kSlotsPerSegment *
                                                               kBlockBytes)) == 1;
}

// The stored versions of blocks, in the order in which they lie on disk.
uint32_t PageLog::locate(FileEntry* file, uint32_t block, uint32_t count, Location* sorted) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < count && found < kHinted; ++i) {
        Version version;
        if (resolve(file, block + i, &version) < 0) break;  // reading it will tell
        Location location = version.location;
        if (location.known() && !location.is_zeros() &&
            location.source() < map_.header().source_count)
            sorted[found++] = location;
    }
    std::sort(sorted, sorted + found, [](Location a, Location b) { return a.word < b.word; });
    return found;
}

// Passes slots to a hint of the disk, those at most `gap` slots apart together.
void PageLog::hint(const Location* sorted, uint32_t count, uint64_t gap,
                   void (sys::Disk::*what)(int fd, int64_t offset, int64_t size)) {
    for (uint32_t i = 0; i < count;) {
        Location first = sorted[i];
        uint64_t last = first.word;
        while (++i < count && sorted[i].word <= last + gap &&
               sorted[i].word / kSlotsPerSegment == first.word / kSlotsPerSegment)
            last = sorted[i].word;
        int fd = descriptor(map_.header().sources[first.source()], first.slot() / kSlotsPerSegment,
                            false);
        if (fd < 0) return;
        (disk_.*what)(fd, static_cast<int64_t>(first.slot() % kSlotsPerSegment * kBlockBytes),
                      static_cast<int64_t>((last - first.word + 1) * kBlockBytes));
    }
}

void PageLog::prefetch(FileEntry* file, uint32_t block, uint32_t count) {
    constexpr uint64_t kGap = 5;  // slots are rather read for nothing than asked for apart
    Location wanted[kHinted];
    hint(wanted, locate(file, block, count, wanted), kGap, &sys::Disk::will_need);
}

void PageLog::write_back(FileEntry* file, uint32_t block, uint32_t count) {
    Location written[kHinted];
    hint(written, locate(file, block, count, written), 1, &sys::Disk::write_back);
}

int PageLog::truncate(FileEntry* file, uint32_t blocks) {
    if (int result = check_live(); result < 0) return result;
    if (blocks == 0) {
        // Nothing of the old contents counts any more: as if the file had been made anew.
        file->birth.store(map_.header().next_birth.fetch_add(1), std::memory_order_release);
    } else {
        Version mark;
        int result = append(file, SlotKind::truncate, blocks, nullptr, 1, &mark);
        if (result < 0) return result;
    }
    map_.truncate(file, blocks);
    return 0;
}

int PageLog::fail_sync(int failure) {
    map_.header().poison();
    return failure;
}

int PageLog::sync_segment(uint64_t segment) {
    MapHeader& map = map_.header();
    SegmentSync& counters = map.segments[segment % kSegmentRing];
    uint64_t written = counters.written.load(std::memory_order_acquire);
    if (written == counters.synced.load(std::memory_order_acquire)) return 0;
    for (bool slots : {false, true}) {
        int fd = descriptor(map.sources[1], segment, slots);
        if (fd < 0) return fd;
        int result = disk_.sync(fd, slots ? sys::SyncSite::log_slots : sys::SyncSite::log_pages);
        if (result < 0) return result;
    }
    raise(counters.synced, written);
    return 0;
}

int PageLog::sync_all() {
    if (int result = check_live(); result < 0) return result;
    MapHeader& map = map_.header();
    uint64_t ticks = map.completed_ticks.load(std::memory_order_acquire);
    uint64_t slots = map.next_slot.load(std::memory_order_acquire);
    uint64_t segments = (slots + kSlotsPerSegment - 1) / kSlotsPerSegment;
    uint64_t first = segments > kSegmentRing ? segments - kSegmentRing : 0;
    for (uint64_t segment = first; segment < segments; ++segment)
        if (int result = sync_segment(segment); result < 0) return fail_sync(result);
    // Only of segments whose files are there: a slot may be drawn before its segment is made.
    uint64_t allocated = map.allocated_slots.load(std::memory_order_acquire);
    uint64_t made = (allocated + kSlotsPerSegment - 1) / kSlotsPerSegment;
    if (map.directory_synced_segments.load(std::memory_order_acquire) < made) {
        Path directory = incarnation_directory(map.store_root, map.sources[1]);
        int result = disk_.sync_directory(directory, sys::SyncSite::log_directory);
        if (result < 0) return fail_sync(result);
        raise(map.directory_synced_segments, made);
    }
    raise(map.durable_ticks, ticks);
    return check_live();  // somebody else's sync may have failed meanwhile
}

int PageLog::sync_file(const FileEntry* file) {
    uint64_t durable = map_.header().durable_ticks.load(std::memory_order_acquire);
    if (file->last_tick.load(std::memory_order_acquire) <= durable) return check_live();
    return sync_all();
}

int PageLog::seal(const void* control, size_t size, uint64_t checkpoint) {
    // Everything completed by now lies below this slot; so may younger writes that are under way.
    uint64_t slot = map_.header().next_slot.load(std::memory_order_acquire);
    if (int result = sync_all(); result < 0) return result;
    map_.header().last_checkpoint = checkpoint;
    map_.write_control(control, size, true, slot);
    return 0;
}

}  // namespace tarn::store
