#include "base/crc32c.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
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

// Newer processors multiply 512 bits at a time without carries: 256 bytes that came before are
// folded onto the next 256, as in Intel's "Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ Instruction" (2009). A factor pair moves a 128-bit lane over `bytes` bytes.
#define TARN_FOLDING __attribute__((target("sse4.2,pclmul,avx512f,avx512vl,vpclmulqdq")))
constexpr size_t kFoldedAtOnce = 256;

constexpr uint64_t power_of_x(size_t exponent) {
    uint32_t value = uint32_t{1} << 31;
    for (; exponent > 0; --exponent) value = value & 1 ? value >> 1 ^ kPolynomial : value >> 1;
    return value;
}

struct Factors {
    long long low, high;
};
constexpr Factors factors(size_t bytes) {
    return {static_cast<long long>(power_of_x(8 * bytes + 31)),
            static_cast<long long>(power_of_x(8 * bytes - 33))};
}
constexpr Factors kOver256 = factors(256);
constexpr Factors kOver64 = factors(64);
constexpr Factors kOver16 = factors(16);

TARN_FOLDING inline __m512i folded(__m512i lanes, Factors by, __m512i onto) {
    __m512i factor = _mm512_set4_epi64(by.high, by.low, by.high, by.low);
    constexpr int kXor3 = 0x96;
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(lanes, factor, 0x00),
                                     _mm512_clmulepi64_epi128(lanes, factor, 0x11), onto, kXor3);
}

TARN_FOLDING inline __m128i folded(__m128i lane, __m128i onto) {
    __m128i factor = _mm_set_epi64x(kOver16.high, kOver16.low);
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(lane, factor, 0x00),
                                       _mm_clmulepi64_si128(lane, factor, 0x11)),
                         onto);
}

TARN_FOLDING uint32_t folding(uint32_t state, const unsigned char* data, size_t size) {
    if (size < kFoldedAtOnce) return accelerated(state, data, size);
    auto load = [&data](size_t at) TARN_FOLDING { return _mm512_loadu_si512(data + at); };
    __m512i begin = _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state)));
    __m512i first = _mm512_xor_si512(begin, load(0));
    __m512i second = load(64);
    __m512i third = load(128);
    __m512i fourth = load(192);
    data += kFoldedAtOnce, size -= kFoldedAtOnce;
    for (; size >= kFoldedAtOnce; data += kFoldedAtOnce, size -= kFoldedAtOnce) {
        first = folded(first, kOver256, load(0));
        second = folded(second, kOver256, load(64));
        third = folded(third, kOver256, load(128));
        fourth = folded(fourth, kOver256, load(192));
    }
    second = folded(first, kOver64, second);
    third = folded(second, kOver64, third);
    fourth = folded(third, kOver64, fourth);
    __m128i quarters[4];
    _mm512_storeu_si512(quarters, fourth);
    // PostgreSQL's own code is SSE: it would run a fifth slower with the upper halves in use.
    _mm256_zeroupper();
    __m128i rest = quarters[0];
    for (size_t i = 1; i < 4; ++i) rest = folded(rest, quarters[i]);
    uint64_t wide = _mm_crc32_u64(0, static_cast<uint64_t>(_mm_extract_epi64(rest, 0)));
    wide = _mm_crc32_u64(wide, static_cast<uint64_t>(_mm_extract_epi64(rest, 1)));
    return accelerated(static_cast<uint32_t>(wide), data, size);
}

bool can_accelerate() {
    return __builtin_cpu_supports("sse4.2");
}
bool can_fold() {
    return can_accelerate() && __builtin_cpu_supports("pclmul") &&
           __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("vpclmulqdq");
}
#endif

}  // namespace

namespace internal {

uint32_t crc32c_portable(uint32_t crc, const void* data, size_t size) {
    return ~portable(~crc, static_cast<const unsigned char*>(data), size);
}

#if defined(__x86_64__)
bool crc32c_accelerated(uint32_t* crc, const void* data, size_t size) {
    if (!can_accelerate()) return false;
    *crc = ~accelerated(~*crc, static_cast<const unsigned char*>(data), size);
    return true;
}

bool crc32c_folding(uint32_t* crc, const void* data, size_t size) {
    if (!can_fold()) return false;
    *crc = ~folding(~*crc, static_cast<const unsigned char*>(data), size);
    return true;
}
#else
bool crc32c_accelerated(uint32_t*, const void*, size_t) {
    return false;
}
bool crc32c_folding(uint32_t*, const void*, size_t) {
    return false;
}
#endif

}  // namespace internal

uint32_t crc32c(uint32_t crc, const void* data, size_t size) {
    if (internal::crc32c_folding(&crc, data, size)) return crc;
    if (internal::crc32c_accelerated(&crc, data, size)) return crc;
    return internal::crc32c_portable(crc, data, size);
}

}  // namespace tarn
