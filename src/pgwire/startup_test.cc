#include "pgwire/startup.h"

#include <gtest/gtest.h>

#include "pgwire/message.h"

namespace tarn::pgwire {
namespace {

using namespace std::string_literals;

TEST(Startup, ReadsBackWhatItWrites) {
    EXPECT_TRUE(std::holds_alternative<SslRequest>(parse_first_packet(ssl_request()).value()));

    CancelKey key{77, "\x01\x00\x02\x03"s};
    EXPECT_EQ(std::get<CancelKey>(parse_first_packet(cancel_request(key)).value()), key);

    Parameters parameters{{"user", "me@example.com"}, {"database", "d"}, {"user", "last wins"}};
    FirstPacket packet = parse_first_packet(startup_packet(parameters, 2)).value();
    const auto& startup = std::get<StartupMessage>(packet);
    EXPECT_EQ(startup.minor, 2);
    EXPECT_EQ(startup.parameters, parameters);
    EXPECT_EQ(startup.parameter("user"), "last wins");
    EXPECT_EQ(startup.parameter("absent"), "");
}

TEST(Startup, KeepsExtensionsApartFromParameters) {
    std::string bytes = startup_packet({{"_pq_.command_tag", "1"}, {"user", "u"}});
    const FirstPacket packet = parse_first_packet(bytes).value();
    EXPECT_EQ(std::get<StartupMessage>(packet).extensions,
              std::vector<std::string>{"_pq_.command_tag"});
    EXPECT_EQ(std::get<StartupMessage>(packet).parameters.size(), 1u);
}

TEST(Startup, RefusesLengthsOutsideTheBounds) {
    EXPECT_EQ(first_packet_bytes("\0\0\0"s).value(), std::nullopt);
    EXPECT_EQ(first_packet_bytes("\0\0\0\x08"s).value(), 8u);
    EXPECT_EQ(first_packet_bytes("\0\0\x27\x10"s).value(), kStartupPacketBytesMax);
    for (const std::string& head : {"\0\0\0\x07"s, "\0\0\x27\x11"s, "\xff\xff\xff\xff"s, "GET "s})
        EXPECT_EQ(first_packet_bytes(head).error().code(), Code::malformed);
}

TEST(Startup, RefusesPacketsThatAreNotWhatTheySay) {
    std::string good = startup_packet({{"user", "u"}});
    std::vector<std::string> bad{
        good + "x",  // longer than it says
        MessageWriter().begin(0).be32(3 << 16).bytes("user\0u"s).end().take(),  // no terminator
        MessageWriter()
            .begin(0)
            .be32(3 << 16)
            .text("user")
            .text("u")
            .byte('\0')
            .byte('x')
            .end()
            .take(),
        MessageWriter().begin(0).be32(80877102).be32(1).end().take(),  // a cancel key without
                                                                       // secret
        MessageWriter().begin(0).be32(80877102).be32(1).bytes(std::string(257, 'k')).end().take()};
    for (const std::string& packet : bad)
        EXPECT_EQ(parse_first_packet(packet).error().code(), Code::malformed);
    for (uint32_t version : {2u << 16, 4u << 16, 80877103u ^ 1u << 20}) {
        std::string packet = MessageWriter().begin(0).be32(version).end().take();
        EXPECT_EQ(parse_first_packet(packet).error().code(), Code::unimplemented) << version;
    }
}

TEST(Startup, TakesTheEndpointOutOfTheOptions) {
    struct Case {
        std::string_view options, endpoint, rest;
    };
    for (const Case& c :
         {Case{"", "", ""}, Case{"endpoint=ep-1", "ep-1", ""},
          Case{"  -c geqo=off  endpoint=ep-1 -cx=1 ", "ep-1", "-c geqo=off -cx=1"},
          Case{"-c search_path=a\\ endpoint=b", "", "-c search_path=a\\ endpoint=b"},
          Case{"-c x=endpoint=3", "", "-c x=endpoint=3"}, Case{"a\\", "", "a\\"}}) {
        Options split = split_options(c.options);
        EXPECT_EQ(split.endpoint, c.endpoint) << c.options;
        EXPECT_EQ(split.rest, c.rest) << c.options;
    }
}

TEST(Startup, KnowsWhoAsksForReplication) {
    for (const char* no : {"", "off", "false", "0"}) EXPECT_FALSE(asks_for_replication(no)) << no;
    for (const char* yes : {"database", "true", "on", "1", "yes", "rubbish"})
        EXPECT_TRUE(asks_for_replication(yes)) << yes;
}

}  // namespace
}  // namespace tarn::pgwire
