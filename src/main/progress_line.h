// progress_line.h: one line on stderr that says how far a command is, now and then.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace tarn {

class ProgressLine {
  public:
    // Shown on a terminal; elsewhere if that is asked for.
    ProgressLine(const char* command, bool asked)
        : command_(command), shown_(asked || ::isatty(STDERR_FILENO)) {}
    ~ProgressLine() {
        if (any_) std::fputc('\n', stderr);
    }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    bool is_shown() const { return shown_; }
    void show(const std::string& text) {
        if (!shown_ || Clock::now() - last_ < std::chrono::milliseconds(500)) return;
        last_ = Clock::now();
        any_ = true;
        std::fprintf(stderr, "\r%s: %s ", command_, text.c_str());
    }

  private:
    using Clock = std::chrono::steady_clock;
    const char* command_;
    bool shown_;
    bool any_ = false;
    Clock::time_point last_ = Clock::now();
};

}  // namespace tarn
