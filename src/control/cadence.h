// cadence.h: when scheduled snapshots are due. All times are UTC.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace tarn::control {

enum class Period : uint8_t { day, week, month };

struct Cadence {
    Period period = Period::day;
    int day = 0;  // week: 1, Monday, to 7; month: 1 to 31, in shorter months the last
    int hour = 0;
    Span retention{};  // of a snapshot, from when it was due
    bool operator==(const Cadence&) const = default;
};

// Names the field as the API does, `schedule[index]`, and says what would be right.
Result<void> check_cadence(const Cadence& cadence, size_t index);

// The last time up to `now` that it was due.
Time last_due(const Cadence& cadence, Time now);

// The JSON that is stored.
std::string cadences_text(const std::vector<Cadence>& cadences);
Result<std::vector<Cadence>> parse_cadences(std::string_view text);

}  // namespace tarn::control
