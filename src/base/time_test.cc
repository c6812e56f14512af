#include "base/time.h"

#include <gtest/gtest.h>

namespace tarn {
namespace {

using namespace std::chrono_literals;

TEST(Time, TimestampsSurviveTheRoundTrip) {
    for (const char* text :
         {"2026-08-01T10:00:00Z", "1999-12-31T23:59:59.5Z", "2026-08-01T10:00:00.000001Z"})
        EXPECT_EQ(rfc3339(parse_rfc3339(text).value()), text);
}

TEST(Time, OffsetsAndNanosecondsAreUnderstood) {
    EXPECT_EQ(rfc3339(parse_rfc3339("2026-08-01T12:30:00+02:30").value()), "2026-08-01T10:00:00Z");
    EXPECT_EQ(rfc3339(parse_rfc3339("2026-08-01T10:00:00.123456789Z").value()),
              "2026-08-01T10:00:00.123456Z");
}

TEST(Time, MalformedTimestampsAreRefused) {
    for (const char* text :
         {"", "2026", "2026-02-30T00:00:00Z", "2026-08-01T25:00:00Z", "2026-08-01T10:00:00",
          "2026-08-01T10:00:00Zx", "2026-08-01T10:00:00.Z", "2026-08-01 10:00:00Z",
          "2026-08-01T10:00:00+99:00"})
        EXPECT_FALSE(parse_rfc3339(text).ok()) << text;
}

TEST(Time, DurationsSurviveTheRoundTrip) {
    EXPECT_EQ(duration_text(604800s), "604800s");
    EXPECT_EQ(duration_text(500ms), "0.5s");
    EXPECT_EQ(duration_text(0s), "0s");
    EXPECT_EQ(parse_duration("604800s").value(), 604800s);
    EXPECT_EQ(parse_duration("0.5s").value(), 500ms);
    EXPECT_EQ(parse_duration("-1.5s").value(), -1500ms);
}

TEST(Time, MalformedDurationsAreRefused) {
    for (const char* text : {"", "s", "1", "1m", "one s", "1.s", "99999999999999s", "1s ", "--1s"})
        EXPECT_FALSE(parse_duration(text).ok()) << text;
}

}  // namespace
}  // namespace tarn
