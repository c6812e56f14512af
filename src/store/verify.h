// verify.h: reads everything that restore points rest on, and trusts none of it.
//
// It shares no code with the read path of PageLog but the look-ups in indexes and packed files:
// what both call good is good.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "store/index_writer.h"
#include "store/point_reader.h"
#include "store/restore_point.h"

namespace tarn::store {

struct Verified {
    uint64_t blocks = 0;  // of all files
    uint64_t pages = 0;   // of them not zeros
};

// Called for each block of each file; `page` has kBlockBytes bytes, null for zeros.
using BlockVisitor = std::function<void(const FileRecord& file, uint32_t block, const void* page)>;

// Loads every index of `point` whole, and for every block below its file's length the slot's header
// and page. data_loss, naming the slot, at the first that is not what the index says.
Result<Verified> verify(sys::Disk& disk, const char* root, const RestorePoint& point,
                        const BlockVisitor& visit = {});

struct DamagedSlot {
    SlotClaim claim;
    Error why;
    bool shown = false;  // by a restore point that was asked about
};

// What one index rests on.
struct IndexFindings {
    std::optional<Error> unreadable;  // the index itself; then nothing is known of its slots
    std::deque<DamagedSlot> damaged;  // the first of them; they stay where they are
    uint64_t damaged_count = 0;
    std::vector<SlotClaim> gone;  // nothing is there: damage only where a restore point shows it

    static constexpr size_t kDamagedKept = 10000;
    // Nothing that a restore point could show as damaged.
    bool is_sound() const { return damaged_count == 0 && gone.empty(); }
};

// Verifies many restore points and reads each thing once: indexes and pages are shared by the
// restore points of a lineage and by its branches.
//
// Every slot that an index names is read, whether or not a restore point shows it: that is never
// less than what they show, and needs no look-up. What damage means for a restore point is asked of
// shown_by(), and whether a slot that is gone was only given back.
class Verifier {
  public:
    struct Counts {
        uint64_t indexes = 0;
        uint64_t pages = 0;
        uint64_t bytes = 0;  // of indexes, headers and pages
    };

    // Of each index so many damaged slots are kept.
    Verifier(sys::Disk& disk, std::string root, size_t damaged_kept = IndexFindings::kDamagedKept);

    // Called now and then while it reads; an error ends the reading with it. One that is_damage()
    // would be taken for one.
    void on_progress(std::function<Result<void>()> progress) { progress_ = std::move(progress); }
    // The same for who reads other things meanwhile.
    Result<void> go_on() const { return progress_ ? progress_() : Result<void>(); }
    // What has been read is not forgotten, but nothing is kept open.
    void close_files();

    // The index and all its slots: their headers for each index anew, good pages once. An error
    // only if they could not be looked at.
    Result<const IndexFindings*> index(const IndexRef& ref);
    // Those of the damaged slots that somebody sees who opens the restore point. Its indexes have
    // been asked for before.
    Result<std::vector<const DamagedSlot*>> shown_by(const RestorePoint& point);
    // Damaged slots that no restore point shows that was asked about: each once.
    std::vector<const DamagedSlot*> unshown() const;
    // Has somebody asked for this index?
    bool knows(const IndexRef& ref) const { return findings_.contains(key(ref)); }
    const Counts& counts() const { return counts_; }

  private:
    using Key = std::tuple<uint64_t, uint32_t, uint32_t>;
    static Key key(const IndexRef& ref) { return {ref.lineage, ref.incarnation, ref.number}; }

    Result<void> check(const IndexRef& ref, IndexFindings& findings);
    Result<void> check_slot(const SlotClaim& claim, IndexFindings& findings);
    Result<void> read_slot(const SlotClaim& claim);
    void take_lost(IndexFindings& findings,
                   const std::function<bool(const SlotClaim&)>& shows) const;

    sys::Disk* disk_;
    std::string root_;
    size_t damaged_kept_;
    SlotReader slots_;
    Counts counts_;
    std::function<Result<void>()> progress_;
    std::map<Key, IndexFindings> findings_;
    // A bit for each slot of a segment whose page was read and is good: 4 KiB for 256 MiB.
    std::map<std::pair<LogId, uint64_t>, std::vector<bool>> good_pages_;
    std::map<Key, LoadedIndex> loaded_;  // of the restore point that was asked about last
};

}  // namespace tarn::store
