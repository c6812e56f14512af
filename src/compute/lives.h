// lives.h: the lives of a lineage in one line: its incarnations, and which WAL is whose.
#pragma once

#include <optional>
#include <vector>

#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"
#include "store/lineage.h"

namespace tarn::compute {

inline constexpr Lsn kNoLimit{~uint64_t{0}};

// One incarnation's part of the line: the WAL in (begin, end].
struct Life {
    store::LogId log;
    store::RestorePointId base;  // what it began from
    Lsn begin;
    Lsn end = kNoLimit;  // where the next one began
    Time begun;
    bool is_newest() const { return end == kNoLimit; }
};

// Oldest first, at least one. not_found if there is no such lineage.
Result<std::vector<Life>> lives_of(const store::Store& store, uint64_t lineage);

// While a compute writes, its map says how much of the WAL counts. One that nobody uses may be an
// older one, come back with a power cut: then all of the WAL counts, and at least that much.
struct Durable {
    Lsn least;
    Lsn most = kNoLimit;
};
// Of the lineage's newest incarnation. unavailable while its compute is starting.
Result<Durable> durable_of(const store::Store& store, store::LogId newest);

// A place in the line that restore points are compared with: a position, or else a time, of which
// nothing behind `limit` counts.
struct Place {
    std::optional<Lsn> lsn;
    std::optional<Time> time;
    Lsn limit = kNoLimit;
};

// How many of a life's numbered restore points lie before the place. One that cannot be read does
// not: an older one serves too, there is only more WAL to replay.
Result<size_t> count_before(const store::Store& store, store::LogId log,
                            const std::vector<uint32_t>& numbers, const Place& place);

// The lineage of the moment that it was branched at; nothing for a project's first.
Result<std::optional<uint64_t>> parent_of(const store::Store& store, uint64_t lineage);

Result<Lsn> consistent_lsn(const store::RestorePoint& point);
Result<Time> taken_at(const store::RestorePoint& point);

// What its files hold, zeros included.
uint64_t bytes_of_files(const store::RestorePoint& point);

}  // namespace tarn::compute
