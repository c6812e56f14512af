#include "control/cadence.h"

#include <nlohmann/json.hpp>

namespace tarn::control {

namespace {

namespace chrono = std::chrono;

constexpr std::string_view kPeriods[] = {"day", "week", "month"};
constexpr std::string_view kHourFields[] = {"daily_schedule.hour", "weekly_schedule.hour",
                                            "monthly_schedule.hour"};
constexpr chrono::hours kLeastRetention{1};
constexpr chrono::days kMostRetention{3650};

chrono::sys_days day_in_month(chrono::year_month month, int day) {
    chrono::year_month_day_last last(month.year(), chrono::month_day_last(month.month()));
    return chrono::sys_days(month / std::min(chrono::day(static_cast<unsigned>(day)), last.day()));
}

}  // namespace

Result<void> check_cadence(const Cadence& cadence, size_t index) {
    auto wrong = [&](std::string_view field, std::string_view expected) {
        return error(Code::invalid_argument, "Field 'schedule[{}].{}' must be {}.", index, field,
                     expected);
    };
    if (cadence.retention < kLeastRetention || cadence.retention > kMostRetention)
        return wrong("retention", "between 3600s (1 hour) and 315360000s (3650 days)");
    if (cadence.hour < 0 || cadence.hour > 23)
        return wrong(kHourFields[static_cast<size_t>(cadence.period)], "between 0 and 23");
    if (cadence.period == Period::week && (cadence.day < 1 || cadence.day > 7))
        return wrong("weekly_schedule.day_of_week", "one of MONDAY to SUNDAY");
    if (cadence.period == Period::month && (cadence.day < 1 || cadence.day > 31))
        return wrong("monthly_schedule.day", "between 1 and 31");
    return {};
}

Time last_due(const Cadence& cadence, Time now) {
    const chrono::hours hour{cadence.hour};
    auto today = chrono::floor<chrono::days>(now);
    if (cadence.period == Period::day)
        return today + hour <= now ? today + hour : today - chrono::days{1} + hour;
    if (cadence.period == Period::week) {
        chrono::weekday wanted(static_cast<unsigned>(cadence.day));
        auto day = today - (chrono::weekday(today) - wanted);
        return day + hour <= now ? day + hour : day - chrono::weeks{1} + hour;
    }
    chrono::year_month_day date(today);
    chrono::year_month month(date.year(), date.month());
    auto due = day_in_month(month, cadence.day) + hour;
    return due <= now ? due : day_in_month(month - chrono::months{1}, cadence.day) + hour;
}

std::string cadences_text(const std::vector<Cadence>& cadences) {
    auto array = nlohmann::json::array();
    for (const Cadence& each : cadences)
        array.push_back({{"period", kPeriods[static_cast<size_t>(each.period)]},
                         {"day", each.day},
                         {"hour", each.hour},
                         {"retention", each.retention.count()}});
    return array.dump();
}

Result<std::vector<Cadence>> parse_cadences(std::string_view text) {
    auto damaged = [&] {
        return error(Code::data_loss, "'{}' is no snapshot schedule", text.substr(0, 100));
    };
    auto parsed = nlohmann::json::parse(text, nullptr, false);
    if (!parsed.is_array()) return damaged();
    std::vector<Cadence> cadences;
    for (const auto& item : parsed) {
        if (!item.is_object() || !item.contains("period") || !item["period"].is_string())
            return damaged();
        for (const char* key : {"day", "hour", "retention"})
            if (!item.contains(key) || !item[key].is_number_integer()) return damaged();
        Cadence cadence;
        auto period = item["period"].get<std::string>();
        while (kPeriods[static_cast<size_t>(cadence.period)] != period) {
            if (cadence.period == Period::month) return damaged();
            cadence.period = static_cast<Period>(static_cast<uint8_t>(cadence.period) + 1);
        }
        cadence.day = item["day"].get<int>();
        cadence.hour = item["hour"].get<int>();
        cadence.retention = Span{item["retention"].get<int64_t>()};
        TRY(check_cadence(cadence, cadences.size()));
        cadences.push_back(cadence);
    }
    return cadences;
}

}  // namespace tarn::control
