#include "control/addresses.h"

#include <charconv>

#include "meta/endpoints.h"
#include "meta/settings.h"

namespace tarn::control {

namespace {

constexpr std::string_view kCursor = "address_cursor";

bool number(std::string_view& text, unsigned limit, unsigned& value) {
    auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || value > limit) return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return true;
}

bool literal(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) return false;
    text.remove_prefix(1);
    return true;
}

std::string dotted(uint32_t address) {
    return fmt::format("{}.{}.{}.{}", address >> 24, (address >> 16) & 255, (address >> 8) & 255,
                       address & 255);
}

bool may_be_handed_out(uint32_t address) {
    return (address & 255) != 0 && (address & 255) != 255;
}

}  // namespace

Result<AddressBlock> AddressBlock::parse(std::string_view text) {
    std::string_view rest = text;
    unsigned a, b, c, d, prefix;
    bool fits = number(rest, 255, a) && literal(rest, '.') && number(rest, 255, b) &&
                literal(rest, '.') && number(rest, 255, c) && literal(rest, '.') &&
                number(rest, 255, d) && literal(rest, '/') && number(rest, 32, prefix) &&
                rest.empty();
    if (!fits || a != 127 || prefix < 8 || prefix > 30)
        return error(Code::invalid_argument,
                     "'{}' is no block of loopback addresses; expected one such as 127.64.0.0/10",
                     text);
    AddressBlock block;
    block.prefix_ = prefix;
    block.base_ = (a << 24 | b << 16 | c << 8 | d) & ~static_cast<uint32_t>(block.count() - 1);
    return block;
}

std::string AddressBlock::first() const {
    uint32_t address = base_;
    while (!may_be_handed_out(address)) ++address;
    return dotted(address);
}

Result<std::string> AddressBlock::allocate(meta::Session& session) const {
    uint64_t start = 0;
    if (auto cursor = TRY(meta::get_setting(session, kCursor)))
        (void)std::from_chars(cursor->data(), cursor->data() + cursor->size(), start);
    for (uint64_t step = 0; step < count(); ++step) {
        uint64_t index = (start + step) % count();
        uint32_t address = base_ + static_cast<uint32_t>(index);
        if (!may_be_handed_out(address)) continue;
        if (TRY(meta::endpoint_at(session, dotted(address)))) continue;
        TRY(meta::set_setting(session, kCursor, fmt::format("{}", index + 1)));
        return dotted(address);
    }
    return error(Code::quota_exceeded, "all addresses of the block {}/{} are taken by endpoints",
                 dotted(base_), prefix_)
        .with_hint("delete endpoints, or start the server with a larger --address-block");
}

}  // namespace tarn::control
