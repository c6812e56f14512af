// rules.h: what values the settings of projects, branches and endpoints may have.
//
// Every check names the field as the API does and says what would be right.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace tarn::control {

// Idle time after which an endpoint is suspended; kNever keeps it running.
inline constexpr Span kNever{0};

using PgSettings = std::map<std::string, std::string>;

struct Sizes {
    double min_cu = 1;
    double max_cu = 1;
};

// 0.5 or whole compute units; a range up to 64 CU may span 16, above that (to 112) it is a fixed
// size.
Result<void> check_sizes(Sizes sizes);
// `wanted` over `base`. One given alone pulls the other with it; both given must fit together.
Sizes merge_sizes(Sizes base, std::optional<double> min_cu, std::optional<double> max_cu);

// kNever, or `least` (60 s as shipped) to 7 days.
Result<void> check_suspend(std::string_view field, Span suspend, Span least);
Result<void> check_history_retention(Span retention, Span least);  // to 35 days
Result<void> check_display_name(std::string_view name);
Result<void> check_ttl(std::string_view field, Span ttl);  // more than 0, at most 30 days

// Names that exist in PostgreSQL's grammar and on which neither safety nor the platform rests.
Result<void> check_pg_settings(std::string_view field, const PgSettings& settings);

// The JSON object that is stored.
std::string pg_settings_text(const PgSettings& settings);
PgSettings parse_pg_settings(std::string_view text);

}  // namespace tarn::control
