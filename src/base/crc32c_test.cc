#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tarn {
namespace {

// The bytewise definition, from RFC 3720 appendix B.4's polynomial.
uint32_t reference(const std::vector<unsigned char>& data) {
    uint32_t state = ~0u;
    for (unsigned char byte : data) {
        state ^= byte;
        for (int i = 0; i < 8; ++i) state = state & 1 ? state >> 1 ^ 0x82f63b78 : state >> 1;
    }
    return ~state;
}

TEST(Crc32c, AgreesWithThePublishedVectors) {
    EXPECT_EQ(crc32c(0, "123456789", 9), 0xe3069283u);
    EXPECT_EQ(crc32c(0, std::string(32, '\0').data(), 32), 0x8a9136aau);
    EXPECT_EQ(crc32c(0, std::string(32, '\xff').data(), 32), 0x62a8ab43u);
}

TEST(Crc32c, EveryWayAgreesWithTheDefinitionAtEveryLengthAroundItsLanes) {
    std::vector<unsigned char> data;
    for (size_t i = 0; i < 8200; ++i) {
        bool near = i < 1100 || (i > 3060 && i < 3090) || i > 8185;
        if (near) {
            uint32_t wanted = reference(data);
            EXPECT_EQ(crc32c(0, data.data(), data.size()), wanted) << i;
            EXPECT_EQ(internal::crc32c_portable(0, data.data(), data.size()), wanted) << i;
            uint32_t crc = 0;
            if (internal::crc32c_accelerated(&crc, data.data(), data.size())) {
                EXPECT_EQ(crc, wanted) << i;
            }
            crc = 0;
            if (internal::crc32c_folding(&crc, data.data(), data.size())) {
                EXPECT_EQ(crc, wanted) << i;
            }
        }
        data.push_back(static_cast<unsigned char>(i * 7919 >> 3));
    }
}

TEST(Crc32c, ContinuesOverPieces) {
    std::string text(9000, 'x');
    text[4321] = 'y';
    EXPECT_EQ(crc32c(crc32c(0, text.data(), 5000), text.data() + 5000, 4000),
              crc32c(0, text.data(), 9000));
}

}  // namespace
}  // namespace tarn
