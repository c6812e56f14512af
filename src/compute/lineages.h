// lineages.h: makes the lineages of a server's store, looks after their history, and removes those
// that nobody needs.
//
// Removal has two steps: a lineage is marked as dropped, and goes when no child needs its history
// any more. The mark outlives the server.
//
// Threads: any. Creating and dropping queue up; who reads history holds it (history.h).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "compute/computes.h"
#include "compute/history.h"
#include "compute/layout.h"
#include "compute/postgres_install.h"
#include "compute/user.h"
#include "store/lineage.h"
#include "store/origins.h"
#include "wal/wal_compression.h"

namespace tarn::compute {

// Says that the lineage is dropped, until all of it is removed.
std::string dropped_marker(const std::string& store_root, uint64_t lineage);

class Lineages {
  public:
    // All of them outlive it.
    Lineages(store::Store& store, const Layout& layout, const ComputeUser& user,
             const std::map<int, PostgresInstall>& installs);

    // Made already is fine, for both.
    Result<void> create_root(uint64_t lineage, int pg_major);
    Result<BranchPoint> create_branch(uint64_t lineage, uint64_t parent, const Moment& moment);
    Result<BranchPoint> find_moment(uint64_t lineage, const Moment& moment) const;
    Result<void> set_aside(uint64_t lineage, Time from) const;
    Result<void> begin_history(uint64_t lineage) const;
    Result<bool> trim_history(uint64_t lineage, Time time, const HistoryLimits& limits);
    // Nothing may run on it.
    Result<void> drop(uint64_t lineage);
    // Of an earlier server: what it had not finished, and what waited for a child to go.
    void remove_leftovers();
    Result<uint64_t> logical_size(uint64_t lineage) const;
    // As of the last time that its history was trimmed.
    std::optional<HistoryCost> history(uint64_t lineage) const;
    // What others keep for it.
    std::optional<uint64_t> kept_for(const LineageId& lineage) const;

    Result<std::vector<uint64_t>> all() const;
    // Compresses one segment of what the lineage has archived and no start needs soon; the plain
    // one goes with the next trim_history(). Answers its bytes; 0 if there is none left, or it was
    // told not to go on, which is asked in between.
    Result<uint64_t> compress_wal(uint64_t lineage, const std::function<bool()>& go_on);

  private:
    bool stays(uint64_t lineage) const;
    Result<void> sweep_dropped(std::optional<uint64_t> asked_for);
    Result<bool> sweep(uint64_t lineage);
    std::unique_lock<std::mutex> stop_compressing();
    std::unique_lock<std::mutex> take_trimming();
    Result<void> trim_one(uint64_t lineage, Time time, const HistoryLimits& limits);
    HistoryCost look_at_cost(uint64_t lineage, const Result<void>& trimmed);
    void note_cost(uint64_t lineage, HistoryCost cost);
    void forget_cost(uint64_t lineage);

    store::Store& store_;
    const Layout& layout_;
    const ComputeUser& user_;
    const std::map<int, PostgresInstall>& installs_;
    std::atomic<int> waiting_ = 0;    // for the one below, which is given up for them
    std::mutex compressing_;          // one segment at a time; taken before the other two
    wal::Unreadable unreadable_wal_;  // under compressing_
    std::mutex births_;               // creating and dropping, one at a time
    std::mutex next_to_trim_;         // by take_trimming(), while it waits for the one below
    std::mutex trimming_;             // one history at a time
    std::map<uint64_t, HistoryRounds> rounds_;
    store::Origins origins_;
    std::chrono::steady_clock::time_point looked_{};  // at the origins
    mutable std::mutex costs_mutex_;                  // guards what follows
    std::map<uint64_t, HistoryCost> costs_;
    std::map<LineageId, std::pair<uint64_t, uint64_t>> kept_for_;  // in which lineage, and bytes
};

}  // namespace tarn::compute
