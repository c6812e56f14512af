#include "base/lsn.h"

#include <gtest/gtest.h>

namespace tarn {
namespace {

TEST(Lsn, PrintsAsPostgresDoesAndReadsItBack) {
    Lsn lsn{0x1'01B3C4D8};
    EXPECT_EQ(lsn.text(), "1/1B3C4D8");
    EXPECT_EQ(Lsn::parse("1/1B3C4D8").value(), lsn);
    EXPECT_EQ(Lsn::parse("1/1b3c4d8").value(), lsn);
}

TEST(Lsn, RefusesWhatIsNone) {
    for (const char* text : {"", "/", "1", "1/", "/1", "g/1", "1/123456789", "1/2/3", "-1/2"})
        EXPECT_EQ(Lsn::parse(text).error().code(), Code::invalid_argument) << text;
}

}  // namespace
}  // namespace tarn
