// wal_files.h: the WAL that one incarnation has: segments and timeline history files.
//
// They lie in `wal` (PostgreSQL's pg_wal) and `wal_archive` (segments that PostgreSQL removed and a
// restore point still needs; the older ones compressed) of the incarnation's directory. A segment
// that is not where it was listed has moved from the first to the second, or was compressed: open()
// looks again. Whoever reads archived WAL does it here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/lsn.h"
#include "base/result.h"
#include "sys/files.h"
#include "wal/segment_id.h"

namespace tarn::wal {

// A stretch of a timeline in the history that leads to the newest one.
struct TimelineSpan {
    uint32_t tli = 0;
    Lsn begin;
    Lsn end;  // where the next one takes over; the newest has no end: ~0
};

// What a segment holds, whether or not its file is compressed.
class SegmentContents {
  public:
    explicit SegmentContents(sys::File plain) : plain_(std::move(plain)) {}
    explicit SegmentContents(std::string decompressed) : decompressed_(std::move(decompressed)) {}

    // At most `size` bytes: fewer only at the end.
    Result<size_t> read_some(void* data, size_t size, uint64_t offset) const;

  private:
    std::optional<sys::File> plain_;
    std::string decompressed_;
};

class WalFiles {
  public:
    static Result<WalFiles> list(sys::Disk& disk, const std::string& incarnation_directory);

    // Each with its path: of a plain file where there is one.
    const std::map<SegmentId, std::string>& segments() const { return segments_; }
    const std::map<uint32_t, std::string>& histories() const { return histories_; }  // TLI -> text

    // The timelines that recovery from `tli` follows, oldest first: those that lead to the newest
    // timeline whose history file is here, as PostgreSQL's recovery_target_timeline=latest does.
    Result<std::vector<TimelineSpan>> timelines_from(uint32_t tli) const;
    // The file that recovery reads for segment `number`: of the newest timeline that can have it.
    // Null when there is none.
    const SegmentId* choose(const std::vector<TimelineSpan>& timelines, uint64_t number) const;
    Result<SegmentContents> open(SegmentId segment) const;

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
