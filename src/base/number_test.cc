#include "base/number.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace tarn {
namespace {

TEST(NumberTest, TheWholeTextIsOneNumber) {
    EXPECT_EQ(parse_number<uint32_t>("00000041"), 41u);
    EXPECT_EQ(parse_number<uint64_t>("00000000000000ff", 16), 255u);
    EXPECT_EQ(parse_number<int64_t>("-3"), -3);
    EXPECT_EQ(parse_number<uint32_t>("4294967295"), UINT32_MAX);
}

TEST(NumberTest, AnythingElseIsNone) {
    for (const char* text : {"", " 1", "1 ", "+1", "1.pages", "x", "-1", "4294967296", "0x1"})
        EXPECT_EQ(parse_number<uint32_t>(text), std::nullopt) << text;
    EXPECT_EQ(parse_number<uint32_t>("fg", 16), std::nullopt);
}

}  // namespace
}  // namespace tarn
