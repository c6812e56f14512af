#include "store/read_ahead.h"

namespace tarn::store {

// Files that fall on the same place take turns; a scan that loses its place only starts over.
ReadAhead::Stream& ReadAhead::stream(const FileEntry* file) {
    return streams_[reinterpret_cast<uintptr_t>(file) / sizeof(FileEntry) % kStreams];
}

bool ReadAhead::follows(const FileEntry* file, uint32_t block) {
    const Stream& at = stream(file);
    return at.file == file && at.expected == block;
}

ReadAhead::Window ReadAhead::next(const FileEntry* file, uint32_t block, uint32_t count,
                                  bool cold) {
    Stream& at = stream(file);
    uint32_t end = block + count;
    if (!follows(file, block)) {
        at = {file, end, 0, 0};
        return {};
    }
    at.expected = end;
    if (at.size == 0) {
        if (!cold) return {};
        at.size = kFirstWindow;
        at.fetched = end;
    }
    // Keep at least a window between the reader and what has not been asked for.
    if (end + at.size < at.fetched) return {};
    if (at.fetched < end) at.fetched = end;
    Window window{at.fetched, at.size};
    at.fetched += at.size;
    if (at.size < kLastWindow) at.size *= 2;
    return window;
}

}  // namespace tarn::store
