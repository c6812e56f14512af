// core.h: what every part of the control plane works with: the metadata, the computes, clock and
// dice, the options, and the two things that threads meet at (operation board, lineage locks).
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

#include "compute/computes.h"
#include "control/addresses.h"
#include "control/environment.h"
#include "control/front_door.h"
#include "control/keyed_locks.h"
#include "control/operation_kind.h"
#include "control/rules.h"
#include "meta/meta.h"
#include "meta/operations.h"

namespace tarn::control {

struct Options {
    AddressBlock addresses;
    std::string network_domain;  // endpoints are <uid>.<domain>; "": they go by their addresses
    Span least_suspend = std::chrono::seconds{60};  // shorter only in development
    Sizes default_sizes = {1, 1};
    Span default_suspend = std::chrono::hours{24};
    Span default_history_retention = std::chrono::days{7};
    Span least_history_retention = std::chrono::days{2};  // shorter only in development
    Span history_round = std::chrono::seconds{15};        // how often old history is let go of
    Span scrub_every = std::chrono::hours{24};  // each lineage is read whole; 0: never
    uint64_t scrub_rate = uint64_t{16} << 20;   // bytes a second
    Span restore_check_every = std::chrono::hours{24};  // one branch of the server; 0: never
    int default_pg_version = 17;
    Span deleted_retention =
        std::chrono::days{7};  // how long a delete can be undone; 0: not at all
    Span operation_retention = std::chrono::days{30};  // how long a finished operation is readable
    int64_t most_branches = 5000;                      // of one project; the service allows 500
    std::string records_directory;  // of the metadata's records (record_keeper.h); "": none
    int reconcile_threads = 4;
};

// Where operations are announced: reconcilers wait here for work, callers for its end.
class OperationBoard {
  public:
    uint64_t version() const { return version_.load(); }
    void announce() {
        std::lock_guard lock(mutex_);
        ++version_;
        changed_.notify_all();
    }
    // The server is about to end: who waits for more than one announcement gives up.
    void close() {
        closed_ = true;
        announce();
    }
    bool is_closed() const { return closed_.load(); }
    // Until something is announced after `seen`, or the timeout.
    void wait(uint64_t seen, std::chrono::steady_clock::time_point until) {
        std::unique_lock lock(mutex_);
        changed_.wait_until(lock, until, [&] { return version_.load() != seen; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::atomic<uint64_t> version_{0};
    std::atomic<bool> closed_{false};
};

struct Core {
    meta::Meta& meta;
    compute::Computes& computes;
    Environment environment;
    Options options;

    OperationBoard board;
    // Held shared while a branch is made from the lineage or a moment in it is looked for,
    // exclusively while its compute starts, stops or is removed.
    KeyedLocks lineages;
    std::atomic<FrontDoor*> front_door{nullptr};  // set once the proxy exists

    Time now() const { return environment.now(); }

    // The operation that a mutation writes in its own transaction (M1). `done` if nothing is left
    // to do outside the metadata; `preserved_branch`: meta::OperationRow.
    Result<meta::OperationRow> record(meta::Session& session, OperationKind kind,
                                      std::string resource_name, std::string resource_uid,
                                      std::string project_uid, bool done,
                                      std::optional<std::string> preserved_branch = {});

    // no_space while the disk has too little room for something new.
    Result<void> check_room(std::string_view doing) const;
};

}  // namespace tarn::control
