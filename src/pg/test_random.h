// test_random.h: a random generator whose seed is printed and can be given again. Test code only.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <random>

namespace tarn::pg::testing {

// Seeded from TARN_SEED if that is set.
inline std::mt19937_64 seeded_random() {
    const char* given = std::getenv("TARN_SEED");
    uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("TARN_SEED=%llu\n", static_cast<unsigned long long>(seed));
    return std::mt19937_64(seed);
}

}  // namespace tarn::pg::testing
