// record_keeper.h: keeps the metadata a second time, in small files that `tarn recover-metadata`
// makes it of again (docs/formats/metadata-record.md). Off the way of whoever writes: one thread is
// told after each commit, and puts together what comes within a moment.
//
// Crash: a record is there whole, as of some commit, or not. What was committed and not yet
// recorded is caught up with at the next start, which compares all of them with the database.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "meta/meta.h"
#include "meta/records.h"

namespace tarn::control {

struct RecordsStatus {
    size_t behind = 0;          // records that are not as the database is, as far as is known
    std::optional<Time> since;  // for how long; none: all are as the database is
    std::string failure;        // of the last try, "" if there was none
};

class RecordKeeper {
  public:
    // `meta` outlives it. A directory of "" keeps nothing.
    RecordKeeper(meta::Meta& meta, std::string directory, std::function<Time()> now)
        : meta_(meta), directory_(std::move(directory)), now_(std::move(now)) {}
    ~RecordKeeper() { stop(); }

    Result<void> start();
    // Writes what is left to write.
    void stop();

    bool is_kept() const { return !directory_.empty(); }
    RecordsStatus status() const;

  private:
    void run(const std::stop_token& stop);
    bool compare(const std::stop_token& stop);
    Result<void> put_aside(const std::set<meta::RecordName>& known, const std::stop_token& stop);
    bool write_pending();
    std::set<meta::RecordName> take_pending();
    void give_back(const std::set<meta::RecordName>& failed, std::string why);
    Result<void> write(const std::vector<meta::RecordName>& names);

    meta::Meta& meta_;
    const std::string directory_;
    const std::function<Time()> now_;
    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable_any changed_;
    std::set<meta::RecordName> pending_;
    std::optional<Time> pending_since_;  // when the first of them came
    size_t writing_ = 0;                 // taken out of `pending_`
    std::optional<Time> writing_since_;
    std::optional<Time> uncompared_since_;  // until all were compared with the database
    std::string compare_failure_, write_failure_;
    std::jthread thread_;
};

}  // namespace tarn::control
