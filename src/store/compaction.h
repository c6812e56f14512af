// compaction.h: which pages are copied to lie together again, and when (page_copier.h: how).
//
// A file is looked at in stretches of kStretchBlocks. In the log, blocks of a stretch form pieces:
// what one read can fetch. Those of small pieces, and of pieces full of gaps, are copied into one,
// in the order of the blocks, if they are many; others stay, so that a page that was written once
// is hardly copied more than once. A stretch that was written lately is left alone: it would only
// be scattered again.
//
// Only what lies in this log, and what its map knows, is looked at: blocks of an earlier
// incarnation or of an ancestor stay where others share them.
//
// Threads: one.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/page_copier.h"

namespace tarn::store {

constexpr uint32_t kStretchBlocks = 256;  // 2 MiB

// Blocks of [begin, end) that lie in small pieces of the log; none if they are few.
std::vector<uint32_t> scattered_blocks(const PageMap& map, const FileEntry* file, uint32_t begin,
                                       uint32_t end);

class Compaction {
  public:
    using Clock = std::chrono::steady_clock;
    // Asked before so many pages are copied, and may wait; false ends the round.
    using Allow = std::function<bool(uint32_t pages)>;

    // `calm`: for how long nothing of a stretch may have been written.
    Compaction(PageLog& log, Clock::duration calm) : log_(log), copier_(log), calm_(calm) {}

    // Looks at all files once. Answers how many pages were copied.
    Result<uint64_t> round(Clock::time_point now, const Allow& allow);

  private:
    struct Seen {
        uint64_t places = 0;  // a checksum of where its blocks lie
        Clock::time_point since;
        bool settled = false;  // nothing to do as long as they lie there
    };
    using Stretch = std::pair<const FileEntry*, uint32_t>;

    bool is_due(const Stretch& stretch, uint32_t end, Clock::time_point now);
    Result<bool> copy(FileEntry* file, const std::vector<uint32_t>& blocks, const Allow& allow,
                      uint64_t& copied);

    PageLog& log_;
    PageCopier copier_;
    Clock::duration calm_;
    std::map<Stretch, Seen> seen_, before_;  // in this round, in the last one
};

}  // namespace tarn::store
