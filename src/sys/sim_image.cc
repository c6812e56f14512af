#include "sys/sim_image.h"

#include <algorithm>
#include <cstring>

namespace tarn::sys {

size_t SimImage::read(void* data, size_t size, uint64_t offset) const {
    if (offset >= size_) return 0;
    size = std::min(size, static_cast<size_t>(size_ - offset));
    for (size_t done = 0; done < size;) {
        uint64_t at = offset + done;
        size_t inside = at % kChunk;
        size_t part = std::min(size - done, kChunk - inside);
        auto found = chunks_.find(at / kChunk);
        if (found == chunks_.end())
            std::memset(static_cast<char*>(data) + done, 0, part);
        else
            std::memcpy(static_cast<char*>(data) + done, found->second->data() + inside, part);
        done += part;
    }
    return size;
}

SimImage::Chunk& SimImage::writable(uint64_t number) {
    std::shared_ptr<Chunk>& chunk = chunks_[number];
    if (!chunk)
        chunk = std::make_shared<Chunk>();
    else if (chunk.use_count() > 1)
        chunk = std::make_shared<Chunk>(*chunk);
    return *chunk;
}

void SimImage::write(const void* data, size_t size, uint64_t offset) {
    for (size_t done = 0; done < size;) {
        uint64_t at = offset + done;
        size_t inside = at % kChunk;
        size_t part = std::min(size - done, kChunk - inside);
        std::memcpy(writable(at / kChunk).data() + inside, static_cast<const char*>(data) + done,
                    part);
        done += part;
    }
    size_ = std::max(size_, offset + size);
}

void SimImage::resize(uint64_t size) {
    // What grows back later is zeros.
    if (size < size_) {
        std::erase_if(chunks_, [size](const auto& each) { return each.first * kChunk >= size; });
        if (chunks_.contains(size / kChunk))
            std::memset(writable(size / kChunk).data() + size % kChunk, 0, kChunk - size % kChunk);
    }
    size_ = size;
}

void SimImage::flip(uint64_t bit) {
    char byte;
    if (read(&byte, 1, bit / 8) != 1) return;
    byte = static_cast<char>(byte ^ 1 << bit % 8);
    write(&byte, 1, bit / 8);
}

}  // namespace tarn::sys
