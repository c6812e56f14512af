#include "main/setting_values.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace tarn {

namespace {

constexpr uint64_t kBlockBytes = 8192;
constexpr double kMostDiskBytes = double{1 << 30} * (1 << 30);

// The whole of `text` as a number.
template <class Number>
bool whole_number(std::string_view text, Number& value) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc() && end == text.data() + text.size();
}

// Bytes of one unit as PostgreSQL writes it, which is particular about capitals; 0 if it is none.
double unit_bytes(std::string_view unit) {
    constexpr std::string_view units[] = {"B", "kB", "MB", "GB", "TB"};
    double bytes = 1;
    for (std::string_view known : units) {
        if (unit == known) return bytes;
        bytes *= 1024;
    }
    return unit.empty() ? static_cast<double>(kBlockBytes) : 0;
}

// A number and a unit; nothing if it is none.
std::optional<double> amount_of_bytes(std::string_view text) {
    size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    std::string_view unit = text.substr(digits);
    unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
    double number = 0;
    double bytes = unit_bytes(unit);
    if (!whole_number(text.substr(0, digits), number) || bytes == 0) return std::nullopt;
    return bytes * number;
}

Error bad_address(std::string_view text, std::string_view why) {
    return error(Code::invalid_argument, "'{}' is no address to listen on: {}", text, why)
        .with_hint("ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080");
}

}  // namespace

Result<HttpAddress> parse_http_address(std::string_view text) {
    if (text.find("//") != text.npos) return bad_address(text, "it is a URL");
    size_t colon = text.rfind(':');
    if (colon == text.npos || text.ends_with(']')) return bad_address(text, "it has no port");
    HttpAddress address{std::string(text.substr(0, colon)), 0};
    bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
    if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
    bool has_colon = address.host.find(':') != std::string::npos;
    if (has_colon && !bracketed) return bad_address(text, "an IPv6 address stands in brackets");
    if (address.host.empty() || address.host.find_first_of(" /[]") != std::string::npos)
        return bad_address(text, "it has no host");
    if (!whole_number(text.substr(colon + 1), address.port) || address.port == 0)
        return bad_address(text, "a port is a number from 1 to 65535");
    return address;
}

Result<uint64_t> parse_shared_buffers(std::string_view text) {
    auto amount = amount_of_bytes(text);
    if (!amount)
        return error(Code::invalid_argument, "'{}' is no amount of memory", text)
            .with_hint("a number and one of kB, MB, GB, TB, such as 128MB");
    double bytes = *amount;
    // PostgreSQL's own limits.
    constexpr double kLeast = 16 * kBlockBytes;
    constexpr double kMost = double{1 << 30} * kBlockBytes - kBlockBytes;
    if (bytes < kLeast || bytes > kMost)
        return error(Code::invalid_argument, "'{}' is not between 128kB and 8TB", text);
    return static_cast<uint64_t>(bytes);
}

Result<std::optional<uint64_t>> parse_disk_limit(std::string_view text) {
    if (text == "auto") return std::optional<uint64_t>();
    auto bytes = amount_of_bytes(text);
    bool has_unit = text == "0" || text.ends_with('B');
    if (!bytes || !has_unit || *bytes > kMostDiskBytes)
        return error(Code::invalid_argument, "'{}' is no amount of disk space", text)
            .with_hint("auto, 0, or a number and one of kB, MB, GB, TB, such as 20GB");
    return std::optional(static_cast<uint64_t>(*bytes));
}

Error naming_settings(Error failure, std::string_view settings) {
    int number = failure.os_errno();
    if (number != EADDRINUSE && number != EADDRNOTAVAIL && number != EACCES) return failure;
    std::string hint = failure.hint().empty() ? "choose another port" : failure.hint();
    return std::move(failure).with_hint(fmt::format("{} ({})", hint, settings));
}

}  // namespace tarn
