// number.h: whole numbers written as text: in names of files, in answers, in what a user gives.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace tarn {

// The number that is all of `text`; nullopt for anything else, also one that does not fit.
template <class T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
    T value{};
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace tarn
