// clock.h: the only door to time. Code that decides by time takes a Clock, so that a test can set
// it.
#pragma once

#include "base/time.h"

namespace tarn::sys {

class Clock {
  public:
    virtual ~Clock() = default;
    // The wall clock: for people and for moments; may step in either direction.
    virtual Time now() = 0;
    // Counts from an unknown beginning and never falls: for waits and durations.
    virtual Span elapsed() = 0;
};

Clock& real_clock();

// Stands still until it is told to move.
class SimClock final : public Clock {
  public:
    explicit SimClock(Time start) : now_(start) {}
    Time now() override { return now_; }
    Span elapsed() override { return elapsed_; }

    void advance(Span span) {
        now_ += span;
        elapsed_ += span;
    }
    // Steps the wall clock alone, as an administrator or NTP does.
    void step(Span span) { now_ += span; }

  private:
    Time now_;
    Span elapsed_{0};
};

}  // namespace tarn::sys
