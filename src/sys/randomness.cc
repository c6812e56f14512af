#include "sys/randomness.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/result.h"

namespace tarn::sys {

namespace {

class RealRandom final : public Random {
  public:
    void fill(void* data, size_t size) override {
        for (size_t done = 0; done < size;) {
            ssize_t part = ::getrandom(static_cast<char*>(data) + done, size - done, 0);
            // Without randomness every id and secret would be a guess: nothing may go on.
            CHECK(part > 0 || errno == EINTR, "getrandom: {}", std::strerror(errno));
            if (part > 0) done += static_cast<size_t>(part);
        }
    }
};

}  // namespace

uint64_t Random::number() {
    uint64_t value;
    fill(&value, sizeof value);
    return value;
}

uint64_t Random::below(uint64_t limit) {
    CHECK(limit > 0);
    // Numbers from the incomplete last stretch would favour small results: draw again.
    uint64_t excess = (UINT64_MAX % limit + 1) % limit;
    for (;;)
        if (uint64_t value = number(); value <= UINT64_MAX - excess) return value % limit;
}

std::string Random::hex(size_t bytes) {
    std::string raw(bytes, '\0');
    fill(raw.data(), raw.size());
    std::string text;
    for (char each : raw) {
        text += "0123456789abcdef"[static_cast<unsigned char>(each) >> 4];
        text += "0123456789abcdef"[each & 15];
    }
    return text;
}

Random& real_random() {
    static RealRandom random;
    return random;
}

// The state is filled by splitmix64, as the generator's authors advise: seeds 1, 2, 3 must not
// begin alike.
SeededRandom::SeededRandom(uint64_t seed) {
    for (uint64_t& word : state_) {
        uint64_t mixed = seed += 0x9e3779b97f4a7c15;
        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
        word = mixed ^ mixed >> 31;
    }
}

uint64_t SeededRandom::next() {
    uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

void SeededRandom::fill(void* data, size_t size) {
    for (size_t done = 0; done < size;) {
        uint64_t word = next();
        size_t part = std::min(size - done, sizeof word);
        std::memcpy(static_cast<char*>(data) + done, &word, part);
        done += part;
    }
}

}  // namespace tarn::sys
