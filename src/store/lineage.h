// lineage.h: lineages, their incarnations, and the making of maps: the cold side of the store.
//
// Crash: every record is written beside its name, synced and renamed, and its directory synced,
// before anything may rest on it. A directory without its record does not exist: that of a lineage
// is removed by remove_unfinished(), that of an incarnation when the next one begins. But where it
// holds what only comes after a record, no crash has left it: the record was lost, and it stays.
//
// Threads: calls for different lineages may run side by side, in any process. For one lineage the
// caller serialises (it holds the lineage's lock), but for collect_garbage(); reading calls are
// free.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/page_map.h"
#include "store/restore_point.h"
#include "sys/descriptor.h"
#include "sys/disk.h"

namespace tarn::store {

struct FileBirth;
class IndexBuilder;
class Origins;
struct IndexContents;
class LoadedIndex;

struct LineageRecord {
    uint64_t lineage = 0;
    RestorePointId parent;                           // number 0: a root
    std::map<std::string, std::string> attachments;  // opaque, e.g. PostgreSQL's system identifier
};

// One life of a lineage's log. `base` is the restore point it began from (its own lineage's or an
// ancestor's); number 0: it began empty (an import).
struct IncarnationRecord {
    LogId log;
    RestorePointId base;
    std::map<std::string, std::string> attachments;  // opaque, e.g. where its WAL ends as planned
};

class Store {
  public:
    // Opens or makes the store at `root` (an absolute path below 400 bytes).
    static Result<Store> open(sys::Disk& disk, std::string root);

    const std::string& root() const { return root_; }
    sys::Disk& disk() const { return *disk_; }

    Result<std::vector<uint64_t>> lineages() const;
    // And those that have lost their record: what they name must stay too.
    Result<std::vector<uint64_t>> lineages_and_lost() const;
    Result<LineageRecord> lineage(uint64_t lineage) const;
    // Makes the lineage's directory and record. already_exists if the record is there.
    Result<void> create_lineage(const LineageRecord& record);
    // Removes the directory whole; one that is not there is fine. Whoever still needs its history
    // (children) must be asked first: see `dependents`.
    Result<void> remove_lineage(uint64_t lineage);
    // Lineages that were branched from this one, or whose restore points name its indexes. One
    // whose records cannot be read counts if it may descend from it.
    Result<std::vector<uint64_t>> dependents(uint64_t lineage) const;
    // Removes directories of lineages whose making was cut short: those without a record, but for
    // those of which `stays` says so. Only while nobody makes any: at the start of the server.
    // Incarnations may be in the making then, by computes that outlived it.
    Result<void> remove_unfinished(const std::function<bool(uint64_t lineage)>& stays);

    Result<std::vector<uint32_t>> incarnations(uint64_t lineage) const;  // ascending, with a record
    Result<IncarnationRecord> incarnation(LogId log) const;
    // Was it ever opened? Restore points and an archive of WAL come after the record.
    Result<bool> has_run(LogId log) const;
    // Makes directory and record of the next incarnation, with an empty `wal` directory.
    // The caller holds the lineage's lock. The record is written last: until finish_incarnation()
    // the directory does not count.
    Result<LogId> begin_incarnation(uint64_t lineage);
    Result<void> finish_incarnation(const IncarnationRecord& record);

    // Numbers of the incarnation's restore points, ascending.
    Result<std::vector<uint32_t>> restore_points(LogId log) const;
    // Those of all its incarnations, in the order in which they were made.
    Result<std::vector<RestorePointId>> restore_points(uint64_t lineage) const;
    // The newest restore point of the incarnation that can be read whole; nullopt: none yet.
    // data_loss if there are some and none can be read.
    Result<std::optional<RestorePoint>> newest_restore_point(LogId log) const;
    // The newest restore point to open the lineage from: of its newest incarnation, or that one's
    // base, and so on. not_found for a lineage that was never sealed.
    Result<RestorePoint> newest_restore_point(uint64_t lineage) const;

    Result<RestorePoint> restore_point(const RestorePointId& id) const;

    // Makes the map file of an incarnation that begins from `base` (null: empty): files, sources,
    // indexes (each read whole and its checksum checked), next birth, store_root. The caller fills
    // in the other paths and positions afterwards. Scratch: nothing of it is synced.
    Result<void> create_map(LogId log, const RestorePoint* base) const;

    // Turns what an incarnation has sealed since `previous` (null: its base) into an index and a
    // restore point without attachments or file list (the caller adds them, add_live_files() first,
    // then save()s it). Merges small indexes of the same lineage on the way. `seal_slot` is from
    // the map's control buffer.
    //
    // Pages that were written after the seal into slots reserved before it may be among the answer:
    // so the caller reads lengths and the flushed position only after this call.
    Result<RestorePoint> index_seal(LogId log, const RestorePoint* previous,
                                    const RestorePoint* base, uint64_t seal_slot) const;

    // Of the lineage's restore points, those that must stay: the newest two of the running chain,
    // and those that any record names, as `origins` finds them now.
    Result<std::set<RestorePointId>> needed_restore_points(uint64_t lineage,
                                                           Origins& origins) const;
    // Removes restore points of the lineage, and indexes that only they name. Those that are needed
    // stay, and of the others those from `oldest` on (number 0: none) that are not in `thinned`. A
    // compute may be sealing meanwhile, but nobody branching. An error, and nothing is removed,
    // while a record cannot be read that may name its history; unless nothing would go anyway.
    Result<void> collect_garbage(uint64_t lineage, const RestorePointId& oldest = {},
                                 const std::set<RestorePointId>& thinned = {}) const;
    // The same for who has looked at the records before.
    Result<void> collect_garbage(uint64_t lineage, const RestorePointId& oldest,
                                 const std::set<RestorePointId>& thinned, Origins& origins) const;

    // Ends an incarnation for ever: its map's state word, if the map is there.
    Result<void> fence(LogId log) const;

  private:
    Store(sys::Disk& disk, std::string root) : disk_(&disk), root_(std::move(root)) {}

    Result<bool> has_lives(uint64_t lineage) const;
    Result<std::vector<uint32_t>> numbered_files(LogId log, std::string_view suffix) const;
    Result<uint32_t> next_number(LogId log) const;
    Result<void> cut_at_base(const RestorePoint& base, IndexBuilder& builder) const;
    Result<std::optional<uint64_t>> slot_below(LogId log, const RestorePoint* below,
                                               std::vector<LoadedIndex>& stack,
                                               const FileBirth& file, uint32_t block) const;
    Result<void> sync_log(LogId log, const std::vector<uint64_t>& segments) const;
    Result<void> merge_below(RestorePoint& point, const RestorePoint* below,
                             IndexContents& contents) const;
    struct Kept;  // garbage.cc
    Result<std::set<RestorePointId>> newest_of(LogId running) const;
    Result<void> keep_indexes(Kept& kept) const;
    Result<std::vector<std::string>> unneeded(const Kept& kept, LogId log, bool indexes) const;
    Result<std::vector<RestorePointId>> origins_of(uint64_t lineage) const;
    // Does the restore point name an index of a lineage? Siblings begin from the same one.
    using NamesLineage = std::map<std::pair<LogId, uint32_t>, bool>;
    Result<bool> depends_on(uint64_t other, uint64_t lineage, NamesLineage& known) const;
    bool may_descend(uint64_t lineage, uint64_t ancestor) const;
    Result<void> remove_all_but(const Kept& kept, LogId log) const;

    sys::Disk* disk_;
    std::string root_;
};

// A map file mapped into this process. Real disk only: shared memory cannot be simulated.
class MappedMap {
  public:
    static Result<MappedMap> open(const std::string& root, LogId log);
    MappedMap(MappedMap&&) noexcept;
    MappedMap& operator=(MappedMap&&) noexcept;
    ~MappedMap();

    PageMap map();

  private:
    MappedMap() = default;
    sys::Descriptor fd_;
    void* base_ = nullptr;
};

// The live files of a map, sorted: what a restore point lists.
std::vector<FileRecord> live_files(const PageMap& map);
// Puts them into a restore point that index_seal() has made, with the birth that later files begin
// at.
void add_live_files(RestorePoint& point, const PageMap& map);

}  // namespace tarn::store
