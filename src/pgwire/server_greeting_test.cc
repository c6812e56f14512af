#include "pgwire/server_greeting.h"

#include <gtest/gtest.h>

#include "pgwire/message.h"

namespace tarn::pgwire {
namespace {

using State = ServerGreeting::State;

ServerGreeting with_key() {
    return ServerGreeting([](const CancelKey& key) { return CancelKey{key.pid, "MINE"}; });
}

std::string greeting(std::string_view secret) {
    return MessageWriter()
        .begin('R')
        .be32(0)
        .end()
        .begin('S')
        .text("server_version")
        .text("17.10")
        .end()
        .begin('K')
        .be32(7)
        .bytes(secret)
        .end()
        .begin('Z')
        .byte('I')
        .end()
        .take();
}

TEST(ServerGreeting, HoldsEverythingBackUntilReadyAndSwapsTheKey) {
    std::string stream = greeting("THEIR-LONG-KEY");
    ServerGreeting whole = with_key();
    EXPECT_EQ(whole.feed(stream + "behind").value(), State::ready);
    EXPECT_EQ(whole.take_output(), greeting("MINE") + "behind");
    EXPECT_EQ(whole.server_key(), (CancelKey{7, "THEIR-LONG-KEY"}));

    ServerGreeting bytewise = with_key();
    for (size_t i = 0; i + 1 < stream.size(); ++i)
        ASSERT_EQ(bytewise.feed(stream.substr(i, 1)).value(), State::running);
    EXPECT_EQ(bytewise.feed(stream.substr(stream.size() - 1)).value(), State::ready);
    EXPECT_EQ(bytewise.take_output(), greeting("MINE"));
}

TEST(ServerGreeting, ARefusalIsTheWholeOutput) {
    std::string refused = error_response({.sqlstate = "3D000", .message = "no database"});
    ServerGreeting session = with_key();
    std::string stream = MessageWriter().begin('R').be32(0).end().take() + refused;
    EXPECT_EQ(session.feed(stream).value(), State::refused);
    EXPECT_EQ(session.refusal().sqlstate, "3D000");
    EXPECT_EQ(session.take_output(), refused);
}

TEST(ServerGreeting, AServerThatAsksForAPasswordIsOurMistake) {
    ServerGreeting session = with_key();
    auto answer =
        session.feed(MessageWriter().begin('R').be32(10).text("SCRAM-SHA-256").end().take());
    EXPECT_EQ(answer.error().code(), Code::internal);
}

TEST(ServerGreeting, IsBounded) {
    ServerGreeting session = with_key();
    std::string notice =
        MessageWriter().begin('N').byte('M').text(std::string(60'000, 'n')).byte('\0').end().take();
    Result<State> answer = State::running;
    for (int i = 0; i < 20 && answer.ok(); ++i) answer = session.feed(notice);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code(), Code::malformed);
    ServerGreeting absurd = with_key();
    EXPECT_EQ(absurd.feed("S\x7f\xff\xff\xff").error().code(), Code::malformed);
}

}  // namespace
}  // namespace tarn::pgwire
