#include "pgwire/frame_tracker.h"

#include <algorithm>

namespace tarn::pgwire {

void FrameTracker::feed(std::string_view bytes) {
    const char* at = bytes.data();
    const char* end = at + bytes.size();
    while (at < end && !broken_) {
        if (body_left_ > 0) {
            uint64_t skipped = std::min(body_left_, static_cast<uint64_t>(end - at));
            at += skipped;
            body_left_ -= skipped;
            continue;
        }
        if (head_bytes_ == 0 && static_cast<size_t>(end - at) >= kHeaderBytes) [[likely]] {
            uint32_t length = load_be32(at + 1);
            last_type_ = *at;
            broken_ = length < 4;
            body_left_ = length - 4;
            at += kHeaderBytes;
            continue;
        }
        head_[head_bytes_++] = *at++;
        if (head_bytes_ >= kHeaderBytes) on_head();
    }
}

void FrameTracker::on_head() {
    uint32_t length = load_be32(head_ + 1);
    head_bytes_ = 0;
    last_type_ = head_[0];
    broken_ = length < 4;
    body_left_ = length - 4;
}

}  // namespace tarn::pgwire
