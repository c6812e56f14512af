// ballast.h: a file that only takes room, in the data directory. On a disk that others have filled
// to the last byte nothing could be deleted either: a deletion begins with a transaction, and with
// the mark of a dropped lineage. The ballast makes way for these, and comes back when there is
// room.
//
// It goes for a deletion and for a start of the server, and not because the disk is full: else
// whoever fills the disk would get that too.
//
// Crash: any part of it may be there; the next fill() makes it whole. Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "compute/disk_space.h"

namespace tarn::compute {

class Ballast {
  public:
    static constexpr uint64_t kBytes = uint64_t{16} << 20;

    explicit Ballast(std::string path) : path_(std::move(path)) {}

    // Makes it, where the disk has room enough and is not a very small one.
    Result<void> fill(const DiskSpace& space);
    // Before something is deleted: it goes if less is free than it takes.
    void make_way(const DiskSpace& space);

  private:
    const std::string path_;
    bool there_ = false;  // whole, unless somebody has removed it
};

}  // namespace tarn::compute
