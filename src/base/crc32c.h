// crc32c.h: the CRC-32C (Castagnoli) of PostgreSQL's WAL and of the page store.
//
// Uses the processor's instructions where there are some. No allocation, no C++ runtime: the shim
// links it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tarn {

// Continues `crc` (0 to begin) over `size` bytes. The value is the finished CRC, not the inner
// register.
uint32_t crc32c(uint32_t crc, const void* data, size_t size);

// The ways to compute it, for tests. False: this processor cannot.
namespace internal {
uint32_t crc32c_portable(uint32_t crc, const void* data, size_t size);
bool crc32c_accelerated(uint32_t* crc, const void* data, size_t size);
bool crc32c_folding(uint32_t* crc, const void* data, size_t size);
}  // namespace internal

}  // namespace tarn
