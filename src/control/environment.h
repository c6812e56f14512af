// environment.h: the clock and the dice of the control plane, so that tests can hold both.
#pragma once

#include <cstdint>
#include <functional>

#include "base/time.h"

namespace tarn::control {

struct Environment {
    std::function<Time()> now;
    std::function<uint64_t()> random;  // 64 unpredictable bits
};

}  // namespace tarn::control
