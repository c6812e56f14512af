// compactor.h: brings pages together in the background (store/compaction.h), at its leisure.
//
// Copies are limited to kShare of what PostgreSQL writes and kBytesPerSecond, and are only made
// while the file system has room; the thread has the least claim to processor and disk. Until no
// restore point shows what was copied, it counts as history.
//
// Threads: begin(), stop() and end() are the supervisor's; the work is done in a thread of its own,
// which holds no lock that PostgreSQL or the supervisor wait for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "store/compaction.h"
#include "store/lineage.h"

namespace tarn::compute {

class Compactor {
  public:
    using Clock = std::chrono::steady_clock;
    static constexpr double kShare = 0.25;
    static constexpr double kBytesPerSecond = 4 << 20;

    ~Compactor() { end(); }

    // PostgreSQL runs on this log. `calm` as in store::Compaction; 0: nothing is copied.
    void begin(const store::Store& store, store::LogId log, std::chrono::milliseconds calm);
    // Nothing more is begun; answers at once.
    void stop();
    // And what was begun is done: milliseconds, unless the disk is very slow.
    void end();

  private:
    void run(std::chrono::milliseconds calm);
    Result<void> round(store::Compaction& compaction);
    bool wait_for(std::chrono::milliseconds time);
    bool allow(uint32_t pages);
    void refill();
    bool has_room();

    std::string root_;
    std::optional<store::MappedMap> mapped_;
    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;  // with mutex_

    // Of the thread.
    std::optional<store::PageLog> pages_;
    double allowed_bytes_ = 0;
    Clock::time_point refilled_;
    uint64_t slots_seen_ = 0;  // of the log, its own copies included
    bool was_short_ = false;
};

}  // namespace tarn::compute
