#include "control/cadence.h"

#include <gtest/gtest.h>

namespace tarn::control {
namespace {

using std::chrono::hours;

Time at(const char* text) {
    return parse_rfc3339(text).value();
}
std::string due(const Cadence& cadence, const char* now) {
    return rfc3339(last_due(cadence, at(now)));
}
Cadence cadence(Period period, int day, int hour) {
    return {.period = period, .day = day, .hour = hour, .retention = hours{1}};
}

TEST(Cadence, DaysWeeksAndMonthsAreUtc) {
    auto daily = cadence(Period::day, 0, 3);
    EXPECT_EQ(due(daily, "2026-11-22T03:00:00Z"), "2026-11-22T03:00:00Z");
    EXPECT_EQ(due(daily, "2026-11-22T02:59:59.999999Z"), "2026-11-21T03:00:00Z");
    EXPECT_EQ(due(daily, "2026-01-01T00:00:00Z"), "2025-12-31T03:00:00Z");
    // 2026-11-22 is a Sunday.
    auto weekly = cadence(Period::week, 7, 12);
    EXPECT_EQ(due(weekly, "2026-11-22T12:00:00Z"), "2026-11-22T12:00:00Z");
    EXPECT_EQ(due(weekly, "2026-11-22T11:59:59Z"), "2026-11-15T12:00:00Z");
    EXPECT_EQ(due(cadence(Period::week, 1, 0), "2026-11-22T11:00:00Z"), "2026-11-16T00:00:00Z");
    auto monthly = cadence(Period::month, 5, 23);
    EXPECT_EQ(due(monthly, "2026-11-05T23:00:00Z"), "2026-11-05T23:00:00Z");
    EXPECT_EQ(due(monthly, "2026-11-05T22:00:00Z"), "2026-10-05T23:00:00Z");
    EXPECT_EQ(due(monthly, "2026-01-02T00:00:00Z"), "2025-12-05T23:00:00Z");
}

TEST(Cadence, EveryMonthHasExactlyOneThirtyFirst) {
    auto last = cadence(Period::month, 31, 0);
    EXPECT_EQ(due(last, "2026-02-28T00:00:00Z"), "2026-02-28T00:00:00Z");
    EXPECT_EQ(due(last, "2028-02-28T23:00:00Z"), "2028-01-31T00:00:00Z");
    EXPECT_EQ(due(last, "2028-02-29T00:00:00Z"), "2028-02-29T00:00:00Z");
    EXPECT_EQ(due(last, "2026-05-30T00:00:00Z"), "2026-04-30T00:00:00Z");
}

TEST(Cadence, WhatIsStoredComesBackAndAnythingElseIsDataLoss) {
    std::vector<Cadence> all = {cadence(Period::day, 0, 3), cadence(Period::week, 2, 0),
                                cadence(Period::month, 31, 23)};
    auto back = parse_cadences(cadences_text(all));
    ASSERT_TRUE(back.ok()) << back.error().text();
    EXPECT_EQ(*back, all);
    for (const char* text :
         {"", "{}", "[1]", R"([{"period":"year","day":0,"hour":1,"retention":1}])",
          R"([{"period":"day","day":0,"hour":"x","retention":1}])"})
        EXPECT_EQ(parse_cadences(text).error().code(), Code::data_loss) << text;
}

TEST(Cadence, WrongValuesAreNamed) {
    auto wrong = [](Cadence value) {
        auto checked = check_cadence(value, 1);
        return checked.ok() ? "" : checked.error().message();
    };
    EXPECT_EQ(wrong(cadence(Period::day, 0, 0)), "");
    EXPECT_EQ(wrong(cadence(Period::day, 0, 24)),
              "Field 'schedule[1].daily_schedule.hour' must be between 0 and 23.");
    EXPECT_NE(wrong(cadence(Period::week, 0, 0)).find("day_of_week"), std::string::npos);
    EXPECT_NE(wrong(cadence(Period::month, 32, 0)).find("between 1 and 31"), std::string::npos);
    auto brief = cadence(Period::day, 0, 0);
    brief.retention = std::chrono::minutes{59};
    EXPECT_NE(wrong(brief).find("retention"), std::string::npos);
}

}  // namespace
}  // namespace tarn::control
