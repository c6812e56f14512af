#include "base/crc32c.h"

#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace tarn {

namespace {

// The reflected Castagnoli polynomial.
constexpr uint32_t kPolynomial = 0x82f63b78;

struct Table {
    uint32_t entry[256];
    constexpr Table() : entry{} {
        for (uint32_t i = 0; i < 256; ++i) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; ++bit)
                value = value & 1 ? value >> 1 ^ kPolynomial : value >> 1;
            entry[i] = value;
        }
    }
};
constexpr Table kTable;

uint32_t portable(uint32_t state, const unsigned char* data, size_t size) {
    for (; size > 0; --size) state = state >> 8 ^ kTable.entry[(state ^ *data++) & 0xff];
    return state;
}

#if defined(__x86_64__)
// The CRC instruction has a latency of three cycles and a throughput of one, so three independent
// lanes are folded together. kLane bytes a lane; shifting a register over kLane zero bytes is a
// linear map, kept as four tables of 256.
constexpr size_t kLane = 1024;

struct Shift {
    uint32_t entry[4][256];
};

constexpr uint32_t times(const uint32_t* matrix, uint32_t vector) {
    uint32_t sum = 0;
    for (; vector; vector >>= 1, ++matrix)
        if (vector & 1) sum ^= *matrix;
    return sum;
}

constexpr Shift make_shift(size_t bytes) {
    // odd/even: the operator for one zero bit, squared until it covers `bytes` (a power of two).
    uint32_t a[32] = {kPolynomial};
    for (int i = 1; i < 32; ++i) a[i] = uint32_t{1} << (i - 1);
    for (size_t bits = 1; bits < bytes * 8; bits *= 2) {
        uint32_t b[32] = {};
        for (int i = 0; i < 32; ++i) b[i] = times(a, a[i]);
        for (int i = 0; i < 32; ++i) a[i] = b[i];
    }
    Shift shift{};
    for (uint32_t byte = 0; byte < 4; ++byte)
        for (uint32_t i = 0; i < 256; ++i) shift.entry[byte][i] = times(a, i << (8 * byte));
    return shift;
}
constexpr Shift kShift = make_shift(kLane);

uint32_t shifted(uint32_t state) {
    return kShift.entry[0][state & 0xff] ^ kShift.entry[1][state >> 8 & 0xff] ^
           kShift.entry[2][state >> 16 & 0xff] ^ kShift.entry[3][state >> 24];
}

uint64_t word(const unsigned char* data) {
    uint64_t value;
    std::memcpy(&value, data, sizeof value);
    return value;
}

__attribute__((target("sse4.2"))) uint32_t accelerated(uint32_t state, const unsigned char* data,
                                                       size_t size) {
    while (size >= 3 * kLane) {
        uint64_t first = state;
        uint64_t second = 0;
        uint64_t third = 0;
        for (size_t i = 0; i < kLane; i += 8) {
            first = _mm_crc32_u64(first, word(data + i));
            second = _mm_crc32_u64(second, word(data + kLane + i));
            third = _mm_crc32_u64(third, word(data + 2 * kLane + i));
        }
        state = shifted(static_cast<uint32_t>(first)) ^ static_cast<uint32_t>(second);
        state = shifted(state) ^ static_cast<uint32_t>(third);
        data += 3 * kLane;
        size -= 3 * kLane;
    }
    uint64_t wide = state;
    for (; size >= 8; size -= 8, data += 8) wide = _mm_crc32_u64(wide, word(data));
    state = static_cast<uint32_t>(wide);
    for (; size > 0; --size) state = _mm_crc32_u8(state, *data++);
    return state;
}
#endif

}  // namespace

uint32_t crc32c(uint32_t crc, const void* data, size_t size) {
    const auto* bytes = static_cast<const unsigned char*>(data);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~accelerated(~crc, bytes, size);
#endif
    return ~portable(~crc, bytes, size);
}

}  // namespace tarn
