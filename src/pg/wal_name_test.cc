#include "pg/wal_name.h"

#include <gtest/gtest.h>

#include <string>

namespace tarn::pg {
namespace {

std::string wal_name(uint32_t tli, uint64_t segment, uint32_t size) {
    char name[kWalNameLength + 1];
    format_wal_name(tli, segment, size, name);
    return name;
}

TEST(WalName, NamesSegmentsAsPostgresDoes) {
    EXPECT_EQ(wal_name(1, 1, 16 << 20), "000000010000000000000001");
    EXPECT_EQ(wal_name(0xa, 0x1ff, 16 << 20), "0000000A00000001000000FF");
    EXPECT_EQ(wal_name(1, 0x1ff, 1 << 20), "0000000100000000000001FF");
    EXPECT_EQ(wal_name(1, 7, 1 << 30), "000000010000000100000003");
}

TEST(WalName, ReadsBackWhatItWrote) {
    for (uint32_t size = 1 << 20; size <= 1u << 30; size *= 2)
        for (uint64_t segment : {uint64_t{0}, uint64_t{1}, uint64_t{0x12345},
                                 (uint64_t{1} << 32) * ((uint64_t{1} << 32) / size) - 1}) {
            uint32_t tli = 0;
            uint64_t found = 0;
            ASSERT_TRUE(parse_wal_name(wal_name(77, segment, size), size, &tli, &found));
            EXPECT_EQ(tli, 77u);
            EXPECT_EQ(found, segment);
        }
}

TEST(WalName, RefusesOtherNames) {
    uint32_t tli = 0;
    uint64_t segment = 0;
    for (const char* name :
         {"", "00000001000000000000000", "0000000100000000000000011", "00000001000000000000000g",
          "00000001000000000000000a", "000000010000000000000001.partial",
          "000000000000000000000001", "000000010000000000000100"})
        EXPECT_FALSE(parse_wal_name(name, 16 << 20, &tli, &segment)) << name;
    EXPECT_TRUE(parse_wal_name("000000010000000000000100", 1 << 20, &tli, &segment));
    EXPECT_FALSE(parse_wal_name("000000010000000000000001", 0, &tli, &segment));
    EXPECT_FALSE(parse_wal_name("000000010000000000000001", 3 << 20, &tli, &segment));
}

TEST(WalName, NamesHistoryFiles) {
    char name[kHistoryNameLength + 1];
    format_history_name(0x2b, name);
    EXPECT_STREQ(name, "0000002B.history");
    uint32_t tli = 0;
    EXPECT_TRUE(parse_history_name(name, &tli));
    EXPECT_EQ(tli, 0x2bu);
    for (const char* other : {"", "0000002b.history", "00000000.history", "0000002B.histori",
                              "0000002B.history.x", "000002B.history"})
        EXPECT_FALSE(parse_history_name(other, &tli)) << other;
}

}  // namespace
}  // namespace tarn::pg
