// Random and nearly right bytes against every parser of this folder. `TARN_SEED` repeats a run.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "pgwire/client_session.h"
#include "pgwire/error_response.h"
#include "pgwire/frame_tracker.h"
#include "pgwire/message.h"
#include "pgwire/server_greeting.h"

namespace tarn::pgwire {
namespace {

constexpr int kRounds = 5'000;

class Fuzz : public testing::Test {
  protected:
    Fuzz() {
        const char* given = std::getenv("TARN_SEED");
        seed_ = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
        random_.seed(seed_);
        std::printf("TARN_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    }

    size_t below(size_t bound) {
        return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
    }

    std::string noise(size_t bytes_max) {
        std::string bytes(below(bytes_max + 1), '\0');
        for (char& c : bytes) c = static_cast<char>(below(256));
        return bytes;
    }

    // Flips, drops, doubles or cuts some bytes.
    std::string damage(std::string bytes) {
        for (size_t i = below(4); i > 0 && !bytes.empty(); --i) {
            size_t at = below(bytes.size());
            switch (below(4)) {
                case 0:
                    bytes[at] = static_cast<char>(below(256));
                    break;
                case 1:
                    bytes.erase(at, 1 + below(4));
                    break;
                case 2:
                    bytes.insert(at, noise(4));
                    break;
                default:
                    bytes.resize(at);
                    break;
            }
        }
        return bytes;
    }

    std::string likely_packet() {
        switch (below(7)) {
            case 0:
                return ssl_request();
            case 1:
                return cancel_request({static_cast<uint32_t>(below(99)), noise(300)});
            case 2:
                return MessageWriter().begin(0).be32(80877104).end().take();
            case 3:
                return MessageWriter()
                    .begin('p')
                    .text(std::string(below(70'000), 'x'))
                    .end()
                    .take();
            case 4:
                return noise(40);
            default:
                return startup_packet({{"user", noise(20)},
                                       {"options", "endpoint=" + noise(9)},
                                       {noise(9), noise(9)}},
                                      static_cast<uint16_t>(below(4)));
        }
    }

    uint64_t seed_;
    std::mt19937_64 random_;
};

TEST_F(Fuzz, AClientSessionSurvivesAnythingAndStaysBounded) {
    int logins = 0;
    for (int round = 0; round < kRounds; ++round) {
        ClientSession session;
        bool closed = false;
        for (size_t step = 0; step < 12; ++step) {
            std::string packet = below(3) == 0 ? damage(likely_packet()) : likely_packet();
            for (std::string_view rest = packet; !rest.empty();) {
                ASSERT_LE(session.bytes_wanted(), kPasswordBytesMax);
                size_t taken = session.feed(rest.substr(0, 1 + below(rest.size())));
                if (taken == 0) break;
                rest.remove_prefix(taken);
            }
            for (const Action& action : session.take_actions()) {
                ASSERT_FALSE(closed) << "an action after Close";
                closed = std::holds_alternative<action::Close>(action);
                if (std::holds_alternative<action::StartTls>(action))
                    session.on_tls({noise(9), below(2) == 0});
                if (std::holds_alternative<action::Route>(action)) session.routed();
                if (std::holds_alternative<action::Authenticate>(action))
                    ++logins, session.accept();
            }
            if (below(20) == 0) session.on_direct_tls();
            if (below(50) == 0) session.refuse(error(Code::unavailable, "no"));
        }
    }
    EXPECT_GT(logins, 0) << "the rounds never reach the end of a login";
}

TEST_F(Fuzz, AServerGreetingSurvivesAnything) {
    std::string good = MessageWriter()
                           .begin('R')
                           .be32(0)
                           .end()
                           .begin('S')
                           .text("a")
                           .text("b")
                           .end()
                           .begin('K')
                           .be32(1)
                           .be32(2)
                           .end()
                           .begin('Z')
                           .byte('I')
                           .end()
                           .take();
    int ready = 0;
    for (int round = 0; round < kRounds; ++round) {
        ServerGreeting greeting([](const CancelKey& key) { return key; });
        std::string stream = damage(good) + (below(2) ? "" : error_response(ErrorFields{}));
        for (std::string_view rest = stream; !rest.empty();) {
            size_t count = 1 + below(rest.size());
            Result<ServerGreeting::State> state = greeting.feed(rest.substr(0, count));
            rest.remove_prefix(count);
            if (!state.ok()) break;
            if (*state != ServerGreeting::State::running) ++ready;
        }
        EXPECT_LE(greeting.take_output().size(), kGreetingBytesMax + stream.size());
    }
    EXPECT_GT(ready, 0);
}

TEST_F(Fuzz, ParsersAnswerForAnyBytes) {
    for (int round = 0; round < kRounds; ++round) {
        std::string bytes = below(2) ? noise(64) : damage(likely_packet());
        (void)parse_first_packet(bytes);
        (void)parse_error_fields(bytes);
        Options split = split_options(bytes);
        EXPECT_LE(split.rest.size() + split.endpoint.size(), bytes.size());
        std::string_view rest = bytes;
        Message message;
        while (next_message(rest, 1000, message) == Framing::whole) {
        }
        FrameTracker tracker;
        for (std::string_view left = bytes; !left.empty();) {
            size_t count = 1 + below(left.size());
            tracker.feed(left.substr(0, count));
            left.remove_prefix(count);
        }
    }
}

}  // namespace
}  // namespace tarn::pgwire
