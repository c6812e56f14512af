// frame_tracker.h: where a stream of messages stands, without keeping any of it.
//
// The proxy may put a message of its own into the server's stream (57P01 when an endpoint is shut
// down) only between two messages.
#pragma once

#include <cstdint>
#include <string_view>

#include "pgwire/message.h"

namespace tarn::pgwire {

class FrameTracker {
  public:
    void feed(std::string_view bytes);

    bool between_messages() const { return body_left_ == 0 && head_bytes_ == 0; }
    // Of the last message that has begun; 0 before the first.
    char last_type() const { return last_type_; }
    // A length that cannot be: boundaries are no longer known.
    bool broken() const { return broken_; }

  private:
    void on_head();

    uint64_t body_left_ = 0;
    char head_[kHeaderBytes] = {};  // type and length
    uint8_t head_bytes_ = 0;
    char last_type_ = 0;
    bool broken_ = false;
};

}  // namespace tarn::pgwire
