#include "pg/history_file.h"

#include <gtest/gtest.h>

#include "pg/test_random.h"

namespace tarn::pg {
namespace {

constexpr const char* kText =
    "1\t0/16D6BB8\tno recovery target specified\n"
    "3\t1/A000000\tbefore 2026-01-02 03:04:05+00\n";

TEST(HistoryFile, ReadsWhatPostgresWrites) {
    auto history = parse_history(4, kText);
    ASSERT_TRUE(history.ok()) << history.error().text();
    ASSERT_EQ(history->ancestors.size(), 2u);
    EXPECT_EQ(history->ancestors[1],
              (HistoryEntry{3, Lsn{0x1'0A000000}, "before 2026-01-02 03:04:05+00"}));
}

TEST(HistoryFile, SkipsCommentsAndBlankLinesAndNeedsNoReason) {
    auto history = parse_history(4, "# why\n\n  \t\n1\t0/100\n 2 \t0/200  by hand\r\n3\t0/300");
    ASSERT_TRUE(history.ok()) << history.error().text();
    ASSERT_EQ(history->ancestors.size(), 3u);
    EXPECT_EQ(history->ancestors[0].reason, "");
    EXPECT_EQ(history->ancestors[1], (HistoryEntry{2, Lsn{0x200}, "by hand"}));
}

TEST(HistoryFile, RefusesWhatIsNoHistory) {
    for (const char* text :
         {"x\t0/100\n", "1\n", "1\t\n", "1\t0-100\n", "0\t0/100\n", "-1\t0/100\n", "1\t0/0\n",
          "4294967296\t0/100\n", "2\t0/100\n1\t0/200\n", "1\t0/100\n1\t0/200\n", "4\t0/100\n",
          "5\t0/100\n", "1x\t0/100\n"})
        EXPECT_EQ(parse_history(4, text).error().code(), Code::data_loss) << text;
}

TEST(HistoryFile, ArbitraryTextIsAHistoryOrAnError) {
    auto random = testing::seeded_random();
    size_t parsed = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string text = kText;
        for (size_t changes = random() % 4; changes > 0; --changes)
            text.replace(random() % text.size(), random() % 3,
                         std::string(random() % 3, static_cast<char>(random() % 128)));
        auto history = parse_history(4, text);
        parsed += history.ok();
        if (!history.ok()) continue;
        uint32_t last = 0;
        for (const HistoryEntry& entry : history->ancestors) {
            EXPECT_GT(entry.tli, last) << text;
            EXPECT_TRUE(entry.switch_point.valid()) << text;
            last = entry.tli;
        }
        EXPECT_LT(last, 4u) << text;
    }
    EXPECT_GT(parsed, 1000u);
}

}  // namespace
}  // namespace tarn::pg
