// time.h: points in time and spans, and their forms in the API (RFC 3339, protobuf durations).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn {

// Microseconds since 1970-01-01 UTC: what PostgreSQL, SQLite rows and the API all carry without
// loss.
using Time = std::chrono::sys_time<std::chrono::microseconds>;
using Span = std::chrono::microseconds;

// "2026-08-01T10:00:00Z", with a fraction only if there is one.
std::string rfc3339(Time time);
Result<Time> parse_rfc3339(std::string_view text);

// "604800s", "0.5s": the JSON form of google.protobuf.Duration.
std::string duration_text(Span span);
Result<Span> parse_duration(std::string_view text);

}  // namespace tarn
