#include "cli/table.h"

#include <gtest/gtest.h>

namespace tarn::cli {
namespace {

TEST(Table, IsAsWideAsWhatStandsInIt) {
    Table table({"NAME", ">SIZE", "WHY"});
    table.add({"a", "1.5", ""});
    table.add_line("  of a");
    table.add({"2026-11-23T03:59:48.123456Z", "12345.6", "because"});
    EXPECT_EQ(table.text(),
              "NAME                            SIZE  WHY\n"
              "a                                1.5\n"
              "  of a\n"
              "2026-11-23T03:59:48.123456Z  12345.6  because\n");
}

}  // namespace
}  // namespace tarn::cli
