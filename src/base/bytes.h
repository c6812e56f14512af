// bytes.h: little-endian fields in byte arrays. Every format of Tarn is little-endian.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tarn {

static_assert(std::endian::native == std::endian::little,
              "the on-disk formats are little-endian and are read in place");

using Bytes = std::span<const std::byte>;

// Reads a T at `offset`; the caller has checked that it lies inside.
template <class T>
T load(const void* data, size_t offset = 0) {
    T value;
    std::memcpy(&value, static_cast<const char*>(data) + offset, sizeof(T));
    return value;
}

template <class T>
void put(void* data, size_t offset, T value) {
    std::memcpy(static_cast<char*>(data) + offset, &value, sizeof(T));
}

inline bool is_zeros(const void* data, size_t size) {
    const char* bytes = static_cast<const char*>(data);
    // Each byte equals the one before it, and the first is zero.
    return size == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0);
}

}  // namespace tarn
