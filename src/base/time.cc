#include "base/time.h"

#include <charconv>

namespace tarn {

namespace {

using std::chrono::floor;
using std::chrono::seconds;

// Up to six digits behind the dot, without trailing zeros; "" for none.
std::string fraction(int64_t micros) {
    if (micros == 0) return "";
    std::string digits = fmt::format(".{:06}", micros);
    while (digits.back() == '0') digits.pop_back();
    return digits;
}

bool number(std::string_view& text, size_t digits, int& value) {
    if (text.size() < digits) return false;
    auto [end, failure] = std::from_chars(text.data(), text.data() + digits, value);
    if (failure != std::errc() || end != text.data() + digits) return false;
    text.remove_prefix(digits);
    return true;
}

bool literal(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) return false;
    text.remove_prefix(1);
    return true;
}

// ".123456789": up to nine digits, cut to microseconds.
bool micros(std::string_view& text, int64_t& value) {
    value = 0;
    if (!literal(text, '.')) return true;
    size_t digits = 0;
    int64_t scale = 100000;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9' && digits < 9) {
        value += (text.front() - '0') * scale;
        scale /= 10;
        ++digits;
        text.remove_prefix(1);
    }
    return digits > 0;
}

}  // namespace

std::string rfc3339(Time time) {
    auto whole = floor<seconds>(time);
    auto day = floor<std::chrono::days>(whole);
    std::chrono::year_month_day date{day};
    std::chrono::hh_mm_ss clock{whole - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z", int{date.year()},
                       unsigned{date.month()}, unsigned{date.day()}, clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(),
                       fraction((time - whole).count()));
}

Result<Time> parse_rfc3339(std::string_view text) {
    std::string_view rest = text;
    int year, month, day, hour, minute, second;
    int64_t fraction_us = 0;
    bool fits = number(rest, 4, year) && literal(rest, '-') && number(rest, 2, month) &&
                literal(rest, '-') && number(rest, 2, day) &&
                (literal(rest, 'T') || literal(rest, 't')) && number(rest, 2, hour) &&
                literal(rest, ':') && number(rest, 2, minute) && literal(rest, ':') &&
                number(rest, 2, second) && micros(rest, fraction_us);
    int offset_minutes = 0;
    if (fits && (literal(rest, 'Z') || literal(rest, 'z'))) {
        // UTC
    } else if (fits && !rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
        int sign = rest.front() == '-' ? -1 : 1;
        rest.remove_prefix(1);
        int hours = 0;
        int minutes = 0;
        fits = number(rest, 2, hours) && literal(rest, ':') && number(rest, 2, minutes) &&
               hours < 24 && minutes < 60;
        offset_minutes = sign * (hours * 60 + minutes);
    } else {
        fits = false;
    }
    std::chrono::year_month_day date{std::chrono::year{fits ? year : 0},
                                     std::chrono::month{static_cast<unsigned>(fits ? month : 0)},
                                     std::chrono::day{static_cast<unsigned>(fits ? day : 0)}};
    if (!fits || !rest.empty() || !date.ok() || hour > 23 || minute > 59 || second > 60)
        return error(Code::invalid_argument,
                     "'{}' is no timestamp; expected RFC 3339, such as 2026-08-01T10:00:00Z", text);
    return Time{std::chrono::sys_days{date}} + std::chrono::hours{hour} +
           std::chrono::minutes{minute - offset_minutes} + seconds{second} + Span{fraction_us};
}

std::string duration_text(Span span) {
    bool negative = span.count() < 0;
    int64_t total = negative ? -span.count() : span.count();
    return fmt::format("{}{}{}s", negative ? "-" : "", total / 1000000, fraction(total % 1000000));
}

Result<Span> parse_duration(std::string_view text) {
    std::string_view rest = text;
    bool negative = literal(rest, '-');
    int64_t whole = 0;
    int64_t fraction_us = 0;
    auto [end, failure] = std::from_chars(rest.data(), rest.data() + rest.size(), whole);
    size_t used = static_cast<size_t>(end - rest.data());
    // protobuf's own limit: ten thousand years
    bool fits = failure == std::errc() && used > 0 && whole >= 0 && whole <= 315576000000;
    if (fits) {
        rest.remove_prefix(used);
        fits = micros(rest, fraction_us) && rest == "s";
    }
    if (!fits)
        return error(Code::invalid_argument,
                     "'{}' is no duration; expected seconds with an 's', such as 604800s", text);
    Span span = seconds{whole} + Span{fraction_us};
    return negative ? -span : span;
}

}  // namespace tarn
