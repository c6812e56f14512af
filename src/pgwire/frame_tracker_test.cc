#include "pgwire/frame_tracker.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "pgwire/message.h"

namespace tarn::pgwire {
namespace {

TEST(FrameTracker, KnowsTheBoundariesHoweverTheStreamIsCut) {
    MessageWriter writer;
    std::set<size_t> boundaries{0};
    std::map<size_t, char> types;  // by where the message ends
    std::string stream;
    for (std::string_view body : {"", "a", "ab", "a long row"})
        for (char type : {'D', '1', 'Z'}) {
            stream += MessageWriter().begin(type).bytes(type == 'Z' ? "T" : body).end().take();
            boundaries.insert(stream.size());
            types[stream.size()] = type;
        }
    for (size_t step = 1; step <= stream.size(); ++step) {
        FrameTracker tracker;
        for (size_t at = 0; at < stream.size(); at += step) {
            tracker.feed(std::string_view(stream).substr(at, step));
            size_t seen = std::min(at + step, stream.size());
            EXPECT_EQ(tracker.between_messages(), boundaries.contains(seen)) << step << " " << seen;
            if (boundaries.contains(seen)) {
                EXPECT_EQ(tracker.last_type(), types[seen]);
            }
        }
        EXPECT_FALSE(tracker.broken());
    }
}

TEST(FrameTracker, SaysWhenALengthCannotBe) {
    for (size_t padding : {size_t{0}, size_t{10}}) {
        FrameTracker tracker;
        tracker.feed(std::string("D\0\0\0\3", 5) + std::string(padding, 'x'));
        EXPECT_TRUE(tracker.broken());
    }
}

}  // namespace
}  // namespace tarn::pgwire
