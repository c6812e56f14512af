// read_ahead.h: notices sequential reads of a file and says how far ahead to fetch. Shim-safe.
//
// In a log, neighbouring blocks of a file that has been updated lie far apart, so the kernel's own
// read-ahead sees a sequential scan only where neighbours happen to lie together. It is only worth
// the calls when pages come from disk: the first read of a stream that is not in the page cache
// switches it on.
#pragma once

#include <cstdint>

#include "store/page_map.h"

namespace tarn::store {

class ReadAhead {
  public:
    static constexpr uint32_t kLastWindow = 1024;  // blocks of the largest window: 8 MiB

    struct Window {
        uint32_t block = 0;
        uint32_t count = 0;  // 0: nothing to fetch
    };

    // Would a read at `block` go on where the last one ended? Only then `cold` matters to next().
    bool follows(const FileEntry* file, uint32_t block);
    // Notes a read of [block, block + count); `cold`: it was not in the page cache. The window that
    // should be fetched now.
    Window next(const FileEntry* file, uint32_t block, uint32_t count, bool cold);

  private:
    struct Stream {
        const FileEntry* file = nullptr;
        uint32_t expected = 0;  // the block that a sequential reader asks for next
        uint32_t fetched = 0;   // blocks below it have been asked for
        uint32_t size = 0;      // of the last window; 0: off
    };
    Stream& stream(const FileEntry* file);

    static constexpr uint32_t kStreams = 16;  // scans at a time in one process
    static constexpr uint32_t kFirstWindow = 32;
    Stream streams_[kStreams];
};

}  // namespace tarn::store
