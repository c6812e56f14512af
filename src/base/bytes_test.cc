#include "base/bytes.h"

#include <gtest/gtest.h>

#include <vector>

namespace tarn {
namespace {

TEST(Bytes, AreZerosIfEachOfThemIs) {
    EXPECT_TRUE(is_zeros(nullptr, 0));
    std::vector<char> bytes(1 + 8192 + 1);
    for (size_t size : {size_t{1}, size_t{7}, size_t{8}, size_t{9}, size_t{8192}}) {
        bytes[0] = bytes[1 + size] = 1;  // neighbours
        EXPECT_TRUE(is_zeros(&bytes[1], size)) << size;
        for (size_t at : {size_t{0}, size / 2, size - 1}) {
            bytes[1 + at] = 1;
            EXPECT_FALSE(is_zeros(&bytes[1], size)) << at << " of " << size;
            bytes[1 + at] = 0;
        }
        bytes[1 + size] = 0;
    }
}

}  // namespace
}  // namespace tarn
