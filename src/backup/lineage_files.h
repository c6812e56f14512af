// lineage_files.h: the files of one lineage that a backup takes.
//
// Only what restore points name counts: indexes, and of each log what lies below the newest seal.
// Of the newest incarnation's WAL so much as was durable and whole; zeros follow.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>

#include "backup/inventory.h"
#include "compute/history.h"
#include "store/lineage.h"

namespace tarn::backup {

class LineageFiles {
  public:
    // Both outlive it.
    LineageFiles(const store::Store& store, const std::string& data_directory)
        : store_(store), data_directory_(data_directory) {}

    // First of all lineages: one's restore points name indexes and logs of others.
    Result<void> read_points(uint64_t lineage);
    // Everything of the lineage. Its history is held.
    Result<void> list(uint64_t lineage, Inventory& inventory);

  private:
    Result<void> list_life(store::LogId log, bool newest, Inventory& inventory);
    Result<void> list_log(store::LogId log, Inventory& inventory);
    Result<void> list_wal(store::LogId log, bool newest, Inventory& inventory);
    Result<void> add_file(const std::string& path, Inventory& inventory,
                          uint64_t most = ~uint64_t{0}, bool must_be = false);
    void add_contents(const std::string& path, std::string contents, Inventory& inventory) const;
    std::string below(const std::string& path) const;

    const store::Store& store_;
    const std::string& data_directory_;
    std::map<uint64_t, std::vector<uint32_t>> lives_;
    std::map<store::LogId, std::vector<uint32_t>> points_;
    std::map<uint64_t, std::vector<std::string>> problems_;
    std::map<store::LogId, uint64_t> sealed_;             // slots of a log that count
    std::map<store::LogId, std::set<uint32_t>> indexes_;  // that somebody names
};

}  // namespace tarn::backup
