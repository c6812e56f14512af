// wal_files.h: the WAL that one incarnation has: segments and timeline history files.
//
// They lie in `wal` (PostgreSQL's pg_wal) and `wal_archive` (segments that PostgreSQL removed and a
// restore point still needs) of the incarnation's directory. A segment found in neither a moment
// after it was listed has moved from the first to the second: open() looks again.
#pragma once

#include <compare>
#include <map>
#include <string>
#include <vector>

#include "base/lsn.h"
#include "base/result.h"
#include "pg/wal_name.h"
#include "sys/files.h"

namespace tarn::wal {

constexpr uint64_t kSegmentBytes = pg::kDefaultWalSegmentSize;

struct SegmentId {
    uint32_t tli = 0;
    uint64_t number = 0;
    auto operator<=>(const SegmentId&) const = default;
};
std::string segment_name(SegmentId segment);

// A stretch of a timeline in the history that leads to the newest one.
struct TimelineSpan {
    uint32_t tli = 0;
    Lsn begin;
    Lsn end;  // where the next one takes over; the newest has no end: ~0
};

class WalFiles {
  public:
    static Result<WalFiles> list(sys::Disk& disk, const std::string& incarnation_directory);

    const std::map<SegmentId, std::string>& segments() const { return segments_; }
    const std::map<uint32_t, std::string>& histories() const { return histories_; }  // TLI -> text

    // The timelines that recovery from `tli` follows, oldest first: those that lead to the newest
    // timeline whose history file is here, as PostgreSQL's recovery_target_timeline=latest does.
    Result<std::vector<TimelineSpan>> timelines_from(uint32_t tli) const;
    // The file that recovery reads for segment `number`: of the newest timeline that can have it.
    // Null when there is none.
    const SegmentId* choose(const std::vector<TimelineSpan>& timelines, uint64_t number) const;
    Result<sys::File> open(SegmentId segment) const;

  private:
    WalFiles(sys::Disk& disk, std::string directory)
        : disk_(&disk), directory_(std::move(directory)) {}
    Result<void> add(const std::string& subdirectory);

    sys::Disk* disk_;
    std::string directory_;
    std::map<SegmentId, std::string> segments_;
    std::map<uint32_t, std::string> histories_;
};

}  // namespace tarn::wal
