#include "wal/wal_end.h"

#include <optional>
#include <vector>

#include "pg/wal_record.h"
#include "pg/wal_walker.h"

namespace tarn::wal {

namespace {

constexpr size_t kWindowBytes = 1 << 20;
constexpr const char* kLimit = "the limit";
constexpr const char* kLaterTransaction = "a later transaction";

// When a transaction ended, if this record says so.
Result<std::optional<Time>> transaction_end(const pg::WalRecord& record) {
    if (record.rmid != pg::kRmgrTransaction) return std::optional<Time>();
    auto event = TRY(pg::decode_event(record));
    bool ends = event &&
                (event->kind == pg::WalEventKind::commit || event->kind == pg::WalEventKind::abort);
    return ends ? std::optional(event->time) : std::nullopt;
}

// Fetches stretches of WAL, each from the file that recovery would read.
class Windows {
  public:
    Windows(const WalFiles& files, std::vector<TimelineSpan> timelines, uint64_t system_identifier)
        : files_(files),
          timelines_(std::move(timelines)),
          system_identifier_(system_identifier),
          bytes_(kWindowBytes) {}

    // A window that holds `lsn`; empty where no file has it.
    Result<pg::WalWindow> at(uint64_t lsn) {
        uint64_t number = lsn / kSegmentBytes;
        if (!file_ || number != number_) {
            file_.reset();
            const SegmentId* segment = files_.choose(timelines_, number);
            if (!segment) return pg::WalWindow{lsn, nullptr, 0};
            file_ = TRY(files_.open(*segment));
            number_ = number;
            bool foreign = TRY(is_foreign());
            if (foreign) {
                file_.reset();
                return pg::WalWindow{lsn, nullptr, 0};
            }
        }
        uint64_t offset = lsn % kSegmentBytes;
        size_t wanted = std::min<uint64_t>(bytes_.size(), kSegmentBytes - offset);
        size_t got =
            TRY_CTX(file_->read_some(bytes_.data(), wanted, offset), "WAL at {}", Lsn{lsn}.text());
        return pg::WalWindow{lsn, bytes_.data(), got};
    }

    // Has somebody begun to write that segment? A segment that was made ahead is all zeros.
    Result<bool> has_begun(uint64_t number) {
        auto window = TRY(at(number * kSegmentBytes));
        pg::WalSegmentHeader header;
        return pg::read_segment_header(window.data, window.size, &header) &&
               header.address == number * kSegmentBytes;
    }

  private:
    // A walk may begin behind a segment's first page, which alone says whose it is.
    Result<bool> is_foreign() {
        pg::WalSegmentHeader header;
        size_t got = TRY(file_->read_some(bytes_.data(), pg::wal_page_offset::long_size, 0));
        return system_identifier_ != 0 && pg::read_segment_header(bytes_.data(), got, &header) &&
               header.system_identifier != system_identifier_;
    }

    const WalFiles& files_;
    std::vector<TimelineSpan> timelines_;
    uint64_t system_identifier_;
    std::vector<char> bytes_;
    std::optional<SegmentContents> file_;
    uint64_t number_ = 0;
};

// Takes a record into account; says if and why the walk ends before or behind it.
Result<void> take_record(const WalWalk& walk, const pg::WalRecord& record, WalEnd& end) {
    if (record.end > walk.limit.value) {
        end.reached = true;
        end.stopped_by = kLimit;
        return {};
    }
    if (auto ended = TRY(transaction_end(record))) {
        if (walk.until && *ended > *walk.until) {
            end.reached = true;
            end.stopped_by = kLaterTransaction;
            return {};
        }
        end.last_transaction = ended;
    }
    end.end = Lsn{record.end};
    ++end.records;
    end.max_prepared_transactions = std::max(
        end.max_prepared_transactions, pg::changed_max_prepared_transactions(record).value_or(0));
    // All that was asked for: what the owner of a running one does behind it is his.
    end.reached = record.end == walk.limit.value;
    if (end.reached) end.stopped_by = kLimit;
    return {};
}

// Walks to the end, or to what fails, and leaves in `end` how far it came.
Result<void> walk_on(const WalFiles& files, const WalWalk& walk, WalEnd& end) {
    const auto timelines = TRY(files.timelines_from(walk.tli));
    Windows windows(files, timelines, walk.system_identifier);
    pg::WalWalker walker({.major = walk.major,
                          .segment_size = static_cast<uint32_t>(kSegmentBytes),
                          .system_identifier = walk.system_identifier},
                         {.lsn = walk.from.value});
    pg::WalWindow window;
    pg::WalRecord record;
    while (end.stopped_by.empty()) {
        switch (walker.next(window, &record)) {
            case pg::WalStep::record:
                TRY(take_record(walk, record, end));
                break;
            case pg::WalStep::need_more_data:
                if (walk.go_on) TRY(walk.go_on());
                end.wrong_from = end.wrong_to = Lsn{walker.needed()};
                window = TRY(windows.at(walker.needed()));
                if (window.size == 0) end.stopped_by = "no further segment of this cluster";
                break;
            case pg::WalStep::end_of_wal:
                end.stopped_by = pg::wal_stop_text(walker.stop());
                end.wrong_from = Lsn{walker.stopped_at()};
                end.wrong_to = Lsn{walker.needed()};
                break;
        }
    }
    // Not what the last page says: where a timeline begins it is a copy of the one before.
    for (const TimelineSpan& span : timelines)
        if (span.begin < end.end) end.tli = span.tli;
    if (end.records == 0 && !end.reached)
        return error(Code::data_loss, "no WAL record can be read at {} on timeline {}: {}",
                     walk.from.text(), walk.tli, end.stopped_by);
    if (!end.reached && TRY(windows.has_begun(walker.needed() / kSegmentBytes + 1)))
        return error(Code::data_loss, "WAL is damaged behind {} on timeline {}: {}, and it goes on",
                     end.end.text(), end.tli, end.stopped_by)
            .with_hint("bring the segment back from a copy; nothing was changed");
    return {};
}

}  // namespace

WalReading read_wal(const WalFiles& files, const WalWalk& walk) {
    WalReading reading;
    reading.end.end = walk.from;
    reading.end.tli = walk.tli;
    if (auto walked = walk_on(files, walk, reading.end); !walked)
        reading.broken = std::move(walked).error();
    return reading;
}

Result<WalEnd> find_end(const WalFiles& files, const WalWalk& walk) {
    WalReading reading = read_wal(files, walk);
    if (reading.broken) return std::move(*reading.broken);
    return std::move(reading.end);
}

}  // namespace tarn::wal
