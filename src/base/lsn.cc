#include "base/lsn.h"

#include "base/number.h"

namespace tarn {

namespace {

std::optional<uint32_t> parse_half(std::string_view text) {
    if (text.size() > 8) return std::nullopt;
    return parse_number<uint32_t>(text, 16);
}

}  // namespace

Result<Lsn> Lsn::parse(std::string_view text) {
    auto slash = text.find('/');
    auto high = parse_half(text.substr(0, slash));
    auto low = parse_half(text.substr(slash == text.npos ? text.size() : slash + 1));
    if (!high || !low)
        return error(Code::invalid_argument, "'{}' is no LSN; expected the form 0/1A2B3C", text);
    return Lsn{uint64_t{*high} << 32 | *low};
}

}  // namespace tarn
