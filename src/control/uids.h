// uids.h: names that the control plane draws; none is ever used twice.
#pragma once

#include <string>
#include <string_view>

#include "control/environment.h"

namespace tarn::control {

std::string draw_uuid(const Environment& environment);
// "br-steep-sunset-d1x2y3z4": prefix, two words and eight random characters.
std::string draw_uid(const Environment& environment, std::string_view prefix);
// 16 hexadecimal digits.
std::string draw_lineage(const Environment& environment);
// `bits` (a multiple of 64) of randomness in hexadecimal.
std::string draw_hex(const Environment& environment, int bits);

}  // namespace tarn::control
