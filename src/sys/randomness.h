// randomness.h: the only door to randomness: the kernel's for ids and secrets, a seeded one for
// simulations, which must repeat themselves from their seed.
//
// Not random.h: that would hide the system's <sys/random.h>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tarn::sys {

class Random {
  public:
    virtual ~Random() = default;
    virtual void fill(void* data, size_t size) = 0;

    uint64_t number();
    // Evenly from [0, limit); limit > 0.
    uint64_t below(uint64_t limit);
    // True once in `times`.
    bool one_in(uint64_t times) { return below(times) == 0; }
    // 2 * bytes lower-case hexadecimal digits.
    std::string hex(size_t bytes);
};

// getrandom(2); fit for secrets.
Random& real_random();

// xoshiro256**: the same numbers for the same seed on every machine. Not for secrets.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(uint64_t seed);
    void fill(void* data, size_t size) override;

  private:
    uint64_t next();
    uint64_t state_[4];
};

}  // namespace tarn::sys
