#include "sys/clock.h"

namespace tarn::sys {

namespace {

class RealClock final : public Clock {
  public:
    Time now() override {
        return std::chrono::time_point_cast<Span>(std::chrono::system_clock::now());
    }
    Span elapsed() override {
        return std::chrono::duration_cast<Span>(
            std::chrono::steady_clock::now().time_since_epoch());
    }
};

}  // namespace

Clock& real_clock() {
    static RealClock clock;
    return clock;
}

}  // namespace tarn::sys
