// prune.h: removes old backups, and the objects that no backup names any more.
//
// Crash: backups go before the objects that only they named, so one that can be seen is whole. What
// was left over the next pruning removes.
#pragma once

#include <functional>

#include "backup/repository.h"
#include "base/result.h"
#include "base/time.h"
#include "sys/clock.h"

namespace tarn::backup {

struct PruneRequest {
    // Backups that are younger stay; so do, of each source, all from the newest back to the newest
    // without problems.
    Span keep{};
    Span patience{};  // how long to wait for a backup that is under way
    std::function<void(size_t object, size_t objects)> progress;
};

struct Pruned {
    size_t backups = 0;  // removed
    size_t objects = 0;
    uint64_t bytes = 0;  // of those objects
    size_t left = 0;     // backups that are there
};

// data_loss if a backup that stays cannot be read: nobody knows then which objects it needs, and
// nothing is removed. unavailable while a backup is under way.
Result<Pruned> run_prune(Repository& repository, sys::Clock& clock, const PruneRequest& request);

}  // namespace tarn::backup
