// wal_walker.h: steps from record to record through WAL bytes and checks each, as PostgreSQL's own
// reader does: page headers, previous-record links, CRCs.
//
// The shim calls it at each sync of pg_wal: constant memory, no allocation, no exceptions, no C++
// runtime; a walker can be copied byte by byte. It accepts and refuses what xlogreader.c does,
// because "the last good record" must mean the same to both.
//
//   WalWalker walker({.major = 17, .segment_size = size}, {.lsn = redo});
//   for (;;) switch (walker.next(window, &record)) {
//       case WalStep::record: ...
//       case WalStep::need_more_data: window = bytes from walker.needed() on, or stop here
//       case WalStep::end_of_wal: walker.stop() says why; walker.position() is the good end
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "pg/wal_format.h"

namespace tarn::pg {

struct WalWalkerOptions {
    int major = 0;
    uint32_t segment_size = 16u << 20;
    uint64_t system_identifier = 0;  // 0: not compared
};

// Where a walk can begin or go on: the start of a record, or the end of the one before, which is
// the same but at a page's end.
struct WalPosition {
    uint64_t lsn = 0;
    uint64_t previous = 0;  // start of the record before; 0 if not known
    uint32_t tli = 0;       // of the page before; 0 if not known
};

// Bytes of the log that begin at `lsn`. Windows need no alignment and may end anywhere.
struct WalWindow {
    uint64_t lsn = 0;
    const void* data = nullptr;
    size_t size = 0;
};

struct WalRecord {
    uint64_t start = 0;
    uint64_t end = 0;          // aligned; the end of the segment for a segment switch
    uint64_t previous = 0;     // start of the record before
    uint64_t overwritten = 0;  // start of an unfinished record that this one puts aside, or 0
    uint32_t tli = 0;          // of the page's first record: a timeline can begin inside a page
    uint32_t total_length = 0;
    uint32_t xid = 0;
    uint8_t rmid = 0;
    uint8_t info = 0;
    // The record's first bytes with page headers taken out; valid until the next step. It holds
    // the whole of every record that wal_record.h reads.
    const std::byte* prefix = nullptr;
    size_t prefix_size = 0;
};

enum class WalStep : uint8_t { record, need_more_data, end_of_wal };

enum class WalStop : uint8_t {
    none,
    empty_page,               // zeros where a page should begin
    empty_record,             // zeros where a record should begin: the usual end
    bad_magic,                // another major version, or no WAL
    bad_page_flags,           // unknown flags, or a segment without a long header
    wrong_system,             // of another cluster
    wrong_segment_size,       //
    wrong_block_size,         //
    wrong_page_address,       // left from an earlier use of the file
    timeline_backwards,       // an older timeline after a newer one
    unexpected_continuation,  // a page begins inside a record that nobody began
    missing_continuation,     // the page after an unfinished record does not continue it
    wrong_continuation,       // it continues a record of another length
    inside_record,            // the walk was told to begin inside a record or page header
    bad_length,
    bad_resource_manager,
    wrong_previous,  // does not follow the record before
    wrong_crc,
    wrong_overwrite,  // an overwrite record that names another record than the unfinished one
};
const char* wal_stop_text(WalStop stop);

class WalWalker {
  public:
    static constexpr size_t kPrefixSize = 128;

    WalWalker() = default;
    WalWalker(const WalWalkerOptions& options, const WalPosition& from);

    // Goes on to the end of the next record. A stop is final until rewind().
    WalStep next(const WalWindow& window, WalRecord* record);

    // The next window must hold this position. At the beginning it is the start of a page.
    uint64_t needed() const { return at_; }
    // The end of the last good record (or where the walk began).
    const WalPosition& position() const { return position_; }
    WalStop stop() const { return stop_; }
    // Where what it stopped at begins: the page whose header is wrong, or the record. The bytes
    // that were read of that end at needed(); which of them are wrong is not known.
    uint64_t stopped_at() const;
    // Forgets what was read after position(), for bytes there that may have changed since.
    void rewind();

    // The first place on the page with which `page` begins where a walk can begin without what is
    // before: behind the record that the page continues, else the page's start. 0 if that record
    // takes all of it, or if it is no such page.
    static uint64_t first_start(const WalWalkerOptions& options, const WalWindow& page);

  private:
    enum class Phase : uint8_t { page_header, record };

    bool gather(const WalWindow& window, std::byte* into, uint32_t wanted, uint32_t* have);
    bool read_page_header(const WalWindow& window);
    WalStop check_page() const;
    void enter_page();
    bool read_record(const WalWindow& window);
    void read_body(const WalWindow& window);
    WalStop check_header() const;
    void finish_record(WalRecord* record);
    bool fail(WalStop stop);
    uint64_t available(const WalWindow& window) const;
    uint32_t prefix_size() const;

    WalWalkerOptions options_;
    WalPosition position_;
    uint64_t at_ = 0;            // next byte to read
    uint64_t page_end_ = 0;      // of the page that at_ lies in, once its header is read
    uint64_t resume_ = 0;        // records are read from here on: a walk may begin inside a page
    uint64_t record_start_ = 0;  // of the record being gathered
    uint64_t overwritten_ = 0;   // start of an unfinished record that a page put aside
    uint32_t tli_ = 0;           // of the newest page
    uint32_t gathered_ = 0;      // bytes of the record so far
    uint32_t total_length_ = 0;  // 0 until known
    uint32_t crc_ = 0;           // of the body so far
    uint32_t page_gathered_ = 0;
    Phase phase_ = Phase::page_header;
    WalStop stop_ = WalStop::none;
    bool first_ = true;  // no record has been read yet: links to earlier ones cannot be checked
    std::byte page_[wal_page_offset::long_size] = {};
    std::byte prefix_[kPrefixSize] = {};
};
static_assert(std::is_trivially_copyable_v<WalWalker>);

}  // namespace tarn::pg
