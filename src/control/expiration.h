// expiration.h: when something is to end by itself.
#pragma once

#include <variant>

#include "base/time.h"

namespace tarn::control {

struct NoExpiry {};
using Expiration = std::variant<NoExpiry, Span, Time>;  // never, after, at

}  // namespace tarn::control
