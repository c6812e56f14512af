// verify_findings.h: what a verification of the store has found, as plain values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"
#include "store/restore_point.h"

namespace tarn::compute {

// Moments of a lineage, up to its newest one if there is no `before`.
struct MomentRange {
    Lsn from;
    std::optional<Time> from_time;
    bool after = false;  // those after `from`: it can itself be opened
    std::optional<Lsn> before;
    std::optional<Time> before_time;
};

struct Damage {
    std::string what;  // for example "block 12 of base/5/16384"
    std::string file;
    std::optional<uint64_t> offset;  // where in the file
    std::string why;
    std::vector<store::RestorePointId> points;  // that rest on it
    std::vector<MomentRange> moments;           // that cannot be opened, or not read whole
};

// A moment that can be branched from, and all that it rests on was read.
struct WholeMoment {
    Lsn lsn;
    Time time;
    store::RestorePointId point;  // that it is opened from
};

struct LineageFindings {
    uint64_t lineage = 0;
    uint64_t incarnations = 0;
    uint64_t restore_points = 0;
    uint64_t wal_bytes = 0;
    uint64_t damage_count = 0;
    std::vector<Damage> damages;  // the first kDamagesKept
    std::optional<WholeMoment> newest_whole;

    static constexpr size_t kDamagesKept = 1000;
};

}  // namespace tarn::compute
