// sim_image.h: the bytes of a simulated file: sparse, zeros where nothing was written, cheap to
// copy.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace tarn::sys {

class SimImage {
  public:
    uint64_t size() const { return size_; }
    // Fewer bytes than asked for only at the end.
    size_t read(void* data, size_t size, uint64_t offset) const;
    void write(const void* data, size_t size, uint64_t offset);
    void resize(uint64_t size);
    void flip(uint64_t bit);

  private:
    static constexpr size_t kChunk = 8192;
    using Chunk = std::array<char, kChunk>;

    Chunk& writable(uint64_t number);

    uint64_t size_ = 0;
    std::unordered_map<uint64_t, std::shared_ptr<Chunk>> chunks_;  // shared with copies
};

}  // namespace tarn::sys
