// give_back.h: returns the space of page versions that nobody can see any more to the file system,
// and most of what those take that only older restore points show.
//
// Bytes of a slot never change, but they may go: as holes in the log's files, or with whole
// segments. What stays is what some restore point of the lineage shows, and what the running
// incarnation may have in hand: slots since the newest restore point, and the holes of that one.
// What neither the newest restore point shows nor a branch began from is packed first
// (segment_packer.h).
//
// Invariants
//   G1  a slot goes only if no restore point that is left, or that a power cut could bring back,
//       shows it. [power_loss_test.cc, GiveBackTest.WhatARestorePointShowsStays]
//   G2  a slot that the running incarnation may read or write stays: the newest restore point shows
//       it, or it is one of its holes or behind its seal (docs/formats/index.md, 6).
//       [power_loss_test.cc, GiveBackTest.WhatIsNotInARestorePointYetStays,
//       Racing.CopiesNeverHideAWriteOrBringOneBack]
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/result.h"
#include "base/time.h"
#include "store/lineage.h"
#include "store/segment_packer.h"
#include "store/version_spans.h"

namespace tarn::store {

struct GiveBackLimits {
    uint32_t least_pages = 256;  // of a segment, that are packed at once: else it is not worth it
    uint32_t pages_a_round = 32768;  // packed of a lineage, so that others have their turn: 256 MiB
    // A hole of one page costs what a large one does, and a segment is packed as a whole. So what
    // could go of a segment waits until it is this part of the pages that the segment's file takes,
    // and what would make a hole of fewer pages, which does not count as part of it, for its
    // neighbours; neither waits for longer.
    double least_share = 0.25;
    uint64_t least_hole = 4;
    Span longest_wait = std::chrono::minutes{2};
    // The newest segment waits for nothing until it has more than these (32 MiB): there is little
    // to save.
    uint64_t least_slots = 4096;
};

class GiveBack {
  public:
    explicit GiveBack(GiveBackLimits limits = {}) : limits_(limits) {}

    // Restore points that branches began from.
    using Branched = std::set<RestorePointId>;

    // `spans` is of all the lineage's restore points; those that have gone since do not count any
    // more. Without `branched` nothing is packed. A compute may be running and sealing, and
    // branches be made. Once a segment is as it should be it is not looked at again before that
    // changes: that is what the object remembers. Answers how many pages it tried to pack: they may
    // take less now, and another round may find more.
    // At most pages_a_round() of them: then there may be more of what it found already.
    // Without `now` nothing waits until more can go.
    Result<uint64_t> run(const Store& store, uint64_t lineage, const VersionSpans& spans,
                         const std::optional<Branched>& branched,
                         std::optional<Time> now = std::nullopt);
    uint32_t pages_a_round() const { return limits_.pages_a_round; }
    // When what waits has waited for long enough; nothing: nothing waits.
    std::optional<Time> due() const;

  private:
    struct Round;
    struct Work;
    // What is known of a segment.
    struct Segment {
        std::optional<uint64_t> settled;  // a checksum of what stayed, when it was as it should be
        std::vector<bool> holes, header_holes;  // that were made, in their units
        std::vector<bool> packed;         // whole in its packed file: their slots are not needed
        std::optional<Time> waits_since;  // when it was first seen to be other than it should be
    };

    Result<void> look_at_log(Round& round, LogId log);
    Result<bool> look_at_segment(Round& round, LogId log, uint64_t segment, SegmentPacker packer);
    static Result<void> sync_once(Round& round, uint64_t lineage);
    bool may_wait(const Segment& kept, const Uses& uses, uint64_t end) const;
    Result<bool> settle(Round& round, Work& work) const;
    Result<void> make_holes(Round& round, Work& work) const;
    Result<bool> pack(Round& round, Work& work) const;

    GiveBackLimits limits_;
    std::map<std::pair<LogId, uint64_t>, Segment> segments_;
};

}  // namespace tarn::store
