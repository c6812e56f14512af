#include "pg/wal_walker.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "pg/wal_name.h"

namespace tarn::pg {

namespace {

constexpr uint64_t align8(uint64_t value) {
    return (value + 7) & ~uint64_t{7};
}
constexpr uint64_t page_of(uint64_t lsn) {
    return lsn - lsn % kWalPageSize;
}

bool valid_rmid(uint8_t rmid) {
    return rmid <= kRmgrLastBuiltin || rmid >= kRmgrFirstCustom;
}

uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

bool is_xlog(const std::byte* record, uint8_t info) {
    return load<uint8_t>(record, wal_record_offset::rmid) == kRmgrXlog &&
           (load<uint8_t>(record, wal_record_offset::info) & kWalInfoMask) == info;
}

}  // namespace

bool read_segment_header(const void* page, size_t size, WalSegmentHeader* header) {
    namespace offset = wal_page_offset;
    if (size < offset::long_size) return false;
    int major = wal_major(load<uint16_t>(page, offset::magic));
    auto segment_size = load<uint32_t>(page, offset::segment_size);
    auto address = load<uint64_t>(page, offset::address);
    if (major == 0 || (load<uint16_t>(page, offset::info) & wal_page_flag::long_header) == 0 ||
        load<uint32_t>(page, offset::block_size) != kWalPageSize ||
        !valid_wal_segment_size(segment_size) || address % segment_size != 0)
        return false;
    *header = {.major = major,
               .tli = load<uint32_t>(page, offset::tli),
               .address = address,
               .system_identifier = load<uint64_t>(page, offset::system_identifier),
               .segment_size = segment_size};
    return true;
}

const char* wal_stop_text(WalStop stop) {
    switch (stop) {
        case WalStop::none:
            return "no end met";
        case WalStop::empty_page:
            return "a page of zeros";
        case WalStop::empty_record:
            return "zeros instead of a record";
        case WalStop::bad_magic:
            return "the page is of another PostgreSQL version or no WAL";
        case WalStop::bad_page_flags:
            return "the page header has impossible flags";
        case WalStop::wrong_system:
            return "the segment belongs to another cluster";
        case WalStop::wrong_segment_size:
            return "the segment has another size than the cluster's";
        case WalStop::wrong_block_size:
            return "the segment has another block size than the cluster's";
        case WalStop::wrong_page_address:
            return "the page is left from an earlier use of the file";
        case WalStop::timeline_backwards:
            return "an older timeline follows a newer one";
        case WalStop::unexpected_continuation:
            return "the page continues a record that was not begun";
        case WalStop::missing_continuation:
            return "the page does not continue the unfinished record";
        case WalStop::wrong_continuation:
            return "the page continues a record of another length";
        case WalStop::inside_record:
            return "the position lies inside a record or a page header";
        case WalStop::bad_length:
            return "the record is shorter than its header";
        case WalStop::bad_resource_manager:
            return "the record names an unknown resource manager";
        case WalStop::wrong_previous:
            return "the record does not follow the one before";
        case WalStop::wrong_crc:
            return "the record's checksum is wrong";
        case WalStop::wrong_overwrite:
            return "the record puts aside another one than the unfinished one";
    }
    return "unknown";
}

WalWalker::WalWalker(const WalWalkerOptions& options, const WalPosition& from)
    : options_(options), position_(from) {
    first_ = from.previous == 0;
    rewind();
}

void WalWalker::rewind() {
    at_ = page_of(position_.lsn);
    resume_ = position_.lsn;
    phase_ = Phase::page_header;
    tli_ = position_.tli;
    overwritten_ = 0;
    gathered_ = total_length_ = page_gathered_ = 0;
    stop_ = WalStop::none;
    if (position_.lsn % 8 != 0) stop_ = WalStop::inside_record;
    if (!valid_wal_segment_size(options_.segment_size)) stop_ = WalStop::wrong_segment_size;
}

bool WalWalker::fail(WalStop stop) {
    stop_ = stop;
    return false;
}

uint64_t WalWalker::stopped_at() const {
    switch (stop_) {
        case WalStop::none:
            return at_;
        case WalStop::empty_page:
        case WalStop::bad_magic:
        case WalStop::bad_page_flags:
        case WalStop::wrong_system:
        case WalStop::wrong_segment_size:
        case WalStop::wrong_block_size:
        case WalStop::wrong_page_address:
        case WalStop::timeline_backwards:
        case WalStop::unexpected_continuation:
        case WalStop::inside_record:
            return at_ == 0 ? 0 : page_of(at_ - 1);
        // A page that does not continue the record: the record's length may be what is wrong.
        case WalStop::missing_continuation:
        case WalStop::wrong_continuation:
        case WalStop::empty_record:
        case WalStop::bad_length:
        case WalStop::bad_resource_manager:
        case WalStop::wrong_previous:
        case WalStop::wrong_crc:
        case WalStop::wrong_overwrite:
            return record_start_;
    }
    return at_;
}

uint64_t WalWalker::first_start(const WalWalkerOptions& options, const WalWindow& page) {
    namespace offset = wal_page_offset;
    WalWalker walker(options, {.lsn = page.lsn});
    if (page_of(page.lsn) != page.lsn || !walker.read_page_header(page)) return 0;
    auto flags = load<uint16_t>(walker.page_, offset::info);
    if ((flags & wal_page_flag::first_is_continuation) == 0) return page.lsn;
    uint64_t start = walker.at_ + align8(load<uint32_t>(walker.page_, offset::remaining));
    return start < page.lsn + kWalPageSize ? start : 0;
}

// How many bytes of the window lie at at_ and after.
uint64_t WalWalker::available(const WalWindow& window) const {
    if (at_ < window.lsn || at_ - window.lsn >= window.size) return 0;
    return window.size - (at_ - window.lsn);
}

uint32_t WalWalker::prefix_size() const {
    return gathered_ < kPrefixSize ? gathered_ : static_cast<uint32_t>(kPrefixSize);
}

// Copies until `into` has `wanted` bytes. False if the window or the page ends before.
bool WalWalker::gather(const WalWindow& window, std::byte* into, uint32_t wanted, uint32_t* have) {
    if (*have >= wanted) return true;
    uint64_t size = smaller(available(window), wanted - *have);
    if (phase_ == Phase::record) size = smaller(size, page_end_ - at_);
    if (size == 0) return false;
    std::memcpy(into + *have, static_cast<const std::byte*>(window.data) + (at_ - window.lsn),
                size);
    *have += static_cast<uint32_t>(size);
    at_ += size;
    return *have == wanted;
}

WalStep WalWalker::next(const WalWindow& window, WalRecord* record) {
    while (stop_ == WalStop::none) {
        if (phase_ == Phase::page_header) {
            if (!read_page_header(window)) break;
            enter_page();
        } else if (read_record(window)) {
            finish_record(record);
            if (stop_ == WalStop::none) return WalStep::record;
        } else if (stop_ == WalStop::none && at_ == page_end_) {
            phase_ = Phase::page_header;
        } else {
            break;
        }
    }
    return stop_ == WalStop::none ? WalStep::need_more_data : WalStep::end_of_wal;
}

// True once the page header is complete and right.
bool WalWalker::read_page_header(const WalWindow& window) {
    namespace offset = wal_page_offset;
    if (!gather(window, page_, offset::short_size, &page_gathered_)) return false;
    bool is_long = (load<uint16_t>(page_, offset::info) & wal_page_flag::long_header) != 0;
    if (load<uint16_t>(page_, offset::magic) == wal_page_magic(options_.major) && is_long &&
        !gather(window, page_, offset::long_size, &page_gathered_))
        return false;
    stop_ = check_page();
    return stop_ == WalStop::none;
}

WalStop WalWalker::check_page() const {
    namespace offset = wal_page_offset;
    uint64_t address = page_of(at_ - 1);
    auto magic = load<uint16_t>(page_, offset::magic);
    auto flags = load<uint16_t>(page_, offset::info);
    if (options_.major == 0 || magic != wal_page_magic(options_.major))
        return is_zeros(page_, offset::short_size) ? WalStop::empty_page : WalStop::bad_magic;
    if ((flags & ~wal_page_flag::all) != 0) return WalStop::bad_page_flags;
    if ((flags & wal_page_flag::long_header) != 0) {
        if (options_.system_identifier != 0 &&
            load<uint64_t>(page_, offset::system_identifier) != options_.system_identifier)
            return WalStop::wrong_system;
        if (load<uint32_t>(page_, offset::segment_size) != options_.segment_size)
            return WalStop::wrong_segment_size;
        if (load<uint32_t>(page_, offset::block_size) != kWalPageSize)
            return WalStop::wrong_block_size;
    } else if (address % options_.segment_size == 0) {
        return WalStop::bad_page_flags;
    }
    if (load<uint64_t>(page_, offset::address) != address) return WalStop::wrong_page_address;
    if (load<uint32_t>(page_, offset::tli) < tli_) return WalStop::timeline_backwards;
    return WalStop::none;
}

// The page header is good: decides where on the page to go on.
void WalWalker::enter_page() {
    namespace offset = wal_page_offset;
    auto flags = load<uint16_t>(page_, offset::info);
    uint64_t remaining = load<uint32_t>(page_, offset::remaining);
    bool continues = (flags & wal_page_flag::first_is_continuation) != 0;
    page_end_ = page_of(at_ - 1) + kWalPageSize;
    tli_ = load<uint32_t>(page_, offset::tli);
    page_gathered_ = 0;
    phase_ = Phase::record;
    if (gathered_ > 0) {
        if ((flags & wal_page_flag::first_is_overwrite) != 0) {
            overwritten_ = record_start_;
            gathered_ = total_length_ = 0;
        } else if (!continues) {
            fail(WalStop::missing_continuation);
            return;
        } else {
            if (remaining == 0 || remaining != total_length_ - gathered_)
                fail(WalStop::wrong_continuation);
            return;
        }
    }
    if (resume_ > page_end_ - kWalPageSize) {  // the walk begins inside this page
        if (resume_ < at_ || (continues && (resume_ == at_ || at_ + align8(remaining) > resume_))) {
            fail(WalStop::inside_record);
            return;
        }
        at_ = resume_;
    } else if (continues) {
        fail(WalStop::unexpected_continuation);
    }
}

// True once a record is complete. False at the end of the window or page, or if the record is bad.
bool WalWalker::read_record(const WalWindow& window) {
    constexpr uint32_t kHeader = wal_record_offset::header_size;
    if (gathered_ == 0) record_start_ = at_;
    if (total_length_ == 0) {
        // Records are aligned to 8 bytes, so the length never straddles pages.
        if (!gather(window, prefix_, sizeof total_length_, &gathered_)) return false;
        total_length_ = load<uint32_t>(prefix_, wal_record_offset::total_length);
        if (total_length_ == 0) return fail(WalStop::empty_record);
        if (total_length_ < kHeader) return fail(WalStop::bad_length);
    }
    if (gathered_ < kHeader) {
        if (!gather(window, prefix_, kHeader, &gathered_)) return false;
        if (auto stop = check_header(); stop != WalStop::none) return fail(stop);
        crc_ = 0;
    }
    read_body(window);
    if (gathered_ < total_length_) return false;
    uint32_t crc = crc32c(crc_, prefix_, wal_record_offset::crc);
    return crc == load<uint32_t>(prefix_, wal_record_offset::crc) || fail(WalStop::wrong_crc);
}

void WalWalker::read_body(const WalWindow& window) {
    uint64_t size = smaller(available(window), total_length_ - gathered_);
    size = smaller(size, page_end_ - at_);
    if (size == 0) return;
    const auto* data = static_cast<const std::byte*>(window.data) + (at_ - window.lsn);
    crc_ = crc32c(crc_, data, size);
    if (gathered_ < kPrefixSize)
        std::memcpy(prefix_ + gathered_, data, smaller(size, kPrefixSize - gathered_));
    gathered_ += static_cast<uint32_t>(size);
    at_ += size;
}

WalStop WalWalker::check_header() const {
    auto previous = load<uint64_t>(prefix_, wal_record_offset::previous);
    if (!valid_rmid(load<uint8_t>(prefix_, wal_record_offset::rmid)))
        return WalStop::bad_resource_manager;
    bool follows = first_ ? previous < record_start_ : previous == position_.previous;
    return follows ? WalStop::none : WalStop::wrong_previous;
}

// The record's bytes are right: reports it and goes on behind it.
void WalWalker::finish_record(WalRecord* record) {
    if (is_xlog(prefix_, xlog_info::overwrite_contrecord)) {
        // One data header of two bytes, then the position of the record put aside. A walk that
        // begins here has not seen that one.
        auto named = load<uint64_t>(prefix_, wal_record_offset::header_size + 2);
        if (total_length_ < wal_record_offset::header_size + 2 + sizeof named ||
            (named != overwritten_ && !(first_ && overwritten_ == 0))) {
            stop_ = WalStop::wrong_overwrite;
            return;
        }
    }
    at_ = align8(at_);
    if (is_xlog(prefix_, xlog_info::segment_switch)) {
        at_ += options_.segment_size - 1;
        at_ -= at_ % options_.segment_size;
    }
    *record = {.start = record_start_,
               .end = at_,
               .previous = load<uint64_t>(prefix_, wal_record_offset::previous),
               .overwritten = overwritten_,
               .tli = tli_,
               .total_length = total_length_,
               .xid = load<uint32_t>(prefix_, wal_record_offset::xid),
               .rmid = load<uint8_t>(prefix_, wal_record_offset::rmid),
               .info = load<uint8_t>(prefix_, wal_record_offset::info),
               .prefix = prefix_,
               .prefix_size = prefix_size()};
    position_ = {.lsn = at_, .previous = record_start_, .tli = tli_};
    first_ = false;
    overwritten_ = 0;
    gathered_ = total_length_ = 0;
    if (at_ % kWalPageSize == 0) phase_ = Phase::page_header;
}

}  // namespace tarn::pg
