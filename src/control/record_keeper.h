// record_keeper.h: keeps the metadata a second time, in small files that `tarn recover-metadata`
// makes it of again (docs/formats/metadata-record.md). Off the way of whoever writes: one thread is
// told after each commit, and puts together what comes within a moment.
//
// Crash: a record is there whole, as of some commit, or not. What was committed and not yet
// recorded is caught up with at the next start, which compares all of them with the database.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "meta/meta.h"
#include "meta/records.h"

namespace tarn::control {

class RecordKeeper {
  public:
    // `meta` outlives it. A directory of "" keeps nothing.
    RecordKeeper(meta::Meta& meta, std::string directory)
        : meta_(meta), directory_(std::move(directory)) {}
    ~RecordKeeper() { stop(); }

    Result<void> start();
    // Writes what is left to write.
    void stop();

  private:
    void run(const std::stop_token& stop);
    void compare(const std::stop_token& stop);
    bool write_pending();
    Result<void> write(const std::vector<meta::RecordName>& names);

    meta::Meta& meta_;
    const std::string directory_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::set<meta::RecordName> pending_;  // under mutex_
    std::jthread thread_;
};

}  // namespace tarn::control
