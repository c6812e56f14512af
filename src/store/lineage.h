// lineage.h: lineages, their incarnations, and the making of maps: the cold side of the store.
//
// Crash: every record is written beside its name, synced and renamed, and its directory synced,
// before anything may rest on it; a directory without its record does not exist and is removed at
// the next start.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/page_map.h"
#include "store/restore_point.h"
#include "sys/disk.h"

namespace tarn::store {

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
    Result<LineageRecord> lineage(uint64_t lineage) const;
    // Makes the lineage's directory and record. already_exists if the record is there.
    Result<void> create_lineage(const LineageRecord& record);
    // Removes the directory whole. Whoever still needs its history (children) must be asked first:
    // see `children`.
    Result<void> remove_lineage(uint64_t lineage);
    // Lineages whose incarnations name this one's restore points or indexes.
    Result<std::vector<uint64_t>> dependents(uint64_t lineage) const;

    Result<std::vector<uint32_t>> incarnations(uint64_t lineage) const;  // ascending, with a record
    Result<IncarnationRecord> incarnation(LogId log) const;
    // Makes directory and record of the next incarnation, with an empty `wal` directory.
    // The caller holds the lineage's lock. The record is written last: until finish_incarnation()
    // the directory does not count.
    Result<LogId> begin_incarnation(uint64_t lineage);
    Result<void> finish_incarnation(const IncarnationRecord& record);

    // The newest restore point of the incarnation that can be read whole; nullopt: none yet.
    Result<std::optional<RestorePoint>> newest_restore_point(LogId log) const;
    // The newest restore point to open the lineage from: of its newest incarnation, or that one's
    // base, and so on. not_found for a lineage that was never sealed.
    Result<RestorePoint> newest_restore_point(uint64_t lineage) const;

    // Makes the map file of an incarnation that begins from `base` (null: empty): files, sources,
    // indexes, next birth. The caller fills paths and positions in afterwards.
    Result<void> create_map(LogId log, const RestorePoint* base) const;

    // Turns what an incarnation has sealed since `previous` (null: its base) into an index and a
    // restore point without attachments or file list (the caller adds them, then save()s it).
    // Merges small indexes of the same lineage on the way. `seal_slot` is from the map's control
    // buffer.
    Result<RestorePoint> index_seal(LogId log, const RestorePoint* previous,
                                    const RestorePoint* base, uint64_t seal_slot) const;

    // Ends an incarnation for ever: its map's state word, if the map is there.
    Result<void> fence(LogId log) const;

  private:
    Store(sys::Disk& disk, std::string root) : disk_(&disk), root_(std::move(root)) {}

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
    int fd_ = -1;
    void* base_ = nullptr;
};

// The live files of a map, sorted: what a restore point lists.
std::vector<FileRecord> live_files(const PageMap& map);

}  // namespace tarn::store
