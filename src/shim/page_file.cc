#include "shim/page_file.h"

#include <cerrno>
#include <cstring>

#include "shim/real.h"
#include "shim/state.h"

namespace tarn::shim {

namespace {

constexpr int64_t kBlock = store::kBlockBytes;
constexpr uint32_t kBatch = 64;

// Walks over the bytes of an iovec array.
class Cursor {
  public:
    Cursor(const iovec* parts, int count) : part_(parts), end_(parts + count) { skip_empty(); }

    bool done() const { return part_ == end_; }
    size_t left() const { return part_->iov_len - used_; }
    char* at() const { return static_cast<char*>(part_->iov_base) + used_; }
    void advance(size_t bytes) {
        used_ += bytes;
        if (used_ == part_->iov_len) ++part_, used_ = 0;
        skip_empty();
    }

  private:
    void skip_empty() {
        while (part_ != end_ && part_->iov_len == 0) ++part_;
    }
    const iovec* part_;
    const iovec* end_;
    size_t used_ = 0;
};

// Makes the stub as long as the file. Whoever shortens it by racing sees the longer length and
// mends it.
int follow_length(const store::FileEntry* file, int stub) {
    for (;;) {
        uint32_t length = file->length.load(std::memory_order_acquire);
        if (real::ftruncate(stub, int64_t{length} * kBlock) < 0) return -errno;
        if (file->length.load(std::memory_order_acquire) == length) return 0;
    }
}

int grow(store::FileEntry* file, int stub, uint32_t blocks) {
    if (file->length.load(std::memory_order_acquire) >= blocks) return 0;
    log().map().grow_length(file, blocks);
    return follow_length(file, stub);
}

uint32_t blocks_of(int64_t size) {
    return static_cast<uint32_t>((size + kBlock - 1) / kBlock);
}

// Reads or writes a piece of one block through a buffer.
int64_t partial(store::FileEntry* file, Cursor& cursor, int64_t offset, int64_t limit, bool write) {
    alignas(64) char page[store::kBlockBytes];
    auto block = static_cast<uint32_t>(offset / kBlock);
    auto begin = static_cast<size_t>(offset % kBlock);
    size_t size = store::kBlockBytes - begin;
    if (size > cursor.left()) size = cursor.left();
    if (static_cast<int64_t>(size) > limit) size = static_cast<size_t>(limit);
    void* pages[] = {page};
    if (int result = log().read(file, block, pages, 1); result < 0) return result;
    if (write) {
        std::memcpy(page + begin, cursor.at(), size);
        if (int result = log().write(file, block, pages, 1); result < 0) return result;
    } else {
        std::memcpy(cursor.at(), page + begin, size);
    }
    cursor.advance(size);
    return static_cast<int64_t>(size);
}

// Collects pointers to whole pages as long as the buffers allow it.
uint32_t gather(Cursor& cursor, int64_t limit, void** pages) {
    uint32_t count = 0;
    while (!cursor.done() && count < kBatch && cursor.left() >= store::kBlockBytes &&
           int64_t{count + 1} * kBlock <= limit) {
        pages[count++] = cursor.at();
        cursor.advance(store::kBlockBytes);
    }
    return count;
}

}  // namespace

int64_t size_of(const store::FileEntry* file) {
    return int64_t{file->length.load(std::memory_order_acquire)} * kBlock;
}

int64_t read_pages(store::FileEntry* file, const iovec* parts, int count, int64_t offset) {
    if (offset < 0) return -EINVAL;
    int64_t end = size_of(file);
    int64_t at = offset;
    for (Cursor cursor(parts, count); !cursor.done() && at < end;) {
        void* pages[kBatch];
        uint32_t whole = at % kBlock == 0 ? gather(cursor, end - at, pages) : 0;
        if (whole == 0) {
            int64_t done = partial(file, cursor, at, end - at, false);
            if (done < 0) return done;
            at += done;
            continue;
        }
        int result = log().read(file, static_cast<uint32_t>(at / kBlock), pages, whole);
        if (result < 0) return result;
        at += int64_t{whole} * kBlock;
    }
    return at - offset;
}

int64_t write_pages(store::FileEntry* file, int stub, const iovec* parts, int count,
                    int64_t offset) {
    if (offset < 0) return -EINVAL;
    int64_t at = offset;
    for (Cursor cursor(parts, count); !cursor.done();) {
        void* pages[kBatch];
        uint32_t whole = at % kBlock == 0 ? gather(cursor, INT64_MAX, pages) : 0;
        if (whole == 0) {
            int64_t done = partial(file, cursor, at, INT64_MAX, true);
            if (done < 0) return done;
            at += done;
        } else {
            int result = log().write(file, static_cast<uint32_t>(at / kBlock), pages, whole);
            if (result < 0) return result;
            at += int64_t{whole} * kBlock;
        }
        if (int result = grow(file, stub, blocks_of(at)); result < 0) return result;
    }
    return at - offset;
}

int resize_pages(store::FileEntry* file, int stub, int64_t size) {
    if (size < 0) return -EINVAL;
    uint32_t blocks = blocks_of(size);
    if (blocks >= file->length.load(std::memory_order_acquire)) return grow(file, stub, blocks);
    if (int result = log().truncate(file, blocks); result < 0) return result;
    return follow_length(file, stub);
}

int extend_pages(store::FileEntry* file, int stub, int64_t size) {
    if (size < 0 || size > int64_t{store::kMaxBlocks} * kBlock) return -EFBIG;
    return grow(file, stub, blocks_of(size));
}

}  // namespace tarn::shim
