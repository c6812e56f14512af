#include "base/lsn.h"

#include <charconv>

namespace tarn {

namespace {

bool parse_half(std::string_view text, uint32_t& value) {
    if (text.empty() || text.size() > 8) return false;
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return failure == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<Lsn> Lsn::parse(std::string_view text) {
    uint32_t high = 0;
    uint32_t low = 0;
    auto slash = text.find('/');
    if (slash == text.npos || !parse_half(text.substr(0, slash), high) ||
        !parse_half(text.substr(slash + 1), low))
        return error(Code::invalid_argument, "'{}' is no LSN; expected the form 0/1A2B3C", text);
    return Lsn{uint64_t{high} << 32 | low};
}

}  // namespace tarn
