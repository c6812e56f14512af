// lsn.h: a position in PostgreSQL's write-ahead log, as PostgreSQL prints it ("0/1B3C4D8").
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn {

struct Lsn {
    uint64_t value = 0;

    auto operator<=>(const Lsn&) const = default;
    bool valid() const { return value != 0; }  // PostgreSQL's InvalidXLogRecPtr is 0
    std::string text() const { return fmt::format("{:X}/{:X}", value >> 32, value & 0xffffffffu); }
    static Result<Lsn> parse(std::string_view text);
};

}  // namespace tarn
