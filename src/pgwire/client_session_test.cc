#include "pgwire/client_session.h"

#include <gtest/gtest.h>

#include "pgwire/error_response.h"
#include "pgwire/message.h"

namespace tarn::pgwire {
namespace {

using State = ClientSession::State;

void feed_all(ClientSession& session, std::string_view bytes) {
    while (!bytes.empty()) {
        size_t taken = session.feed(bytes);
        ASSERT_GT(taken, 0u);
        bytes.remove_prefix(taken);
    }
}

template <class T>
T only(ClientSession& session) {
    std::vector<Action> actions = session.take_actions();
    EXPECT_EQ(actions.size(), 1u);
    EXPECT_TRUE(std::holds_alternative<T>(actions.at(0)));
    return std::get<T>(actions.at(0));
}

// The session was refused: the answer's fields.
ErrorFields refusal(ClientSession& session) {
    std::vector<Action> actions = session.take_actions();
    EXPECT_EQ(session.state(), State::closed);
    EXPECT_EQ(session.bytes_wanted(), 0u);
    EXPECT_GE(actions.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<action::Close>(actions.back()));
    std::string_view bytes = std::get<action::Send>(actions.at(actions.size() - 2)).bytes;
    Message message;
    EXPECT_EQ(next_message(bytes, 10000, message), Framing::whole);
    EXPECT_EQ(message.type, 'E');
    return parse_error_fields(message.body).value();
}

void begin_tls(ClientSession& session, TlsFacts facts = {}) {
    feed_all(session, ssl_request());
    std::vector<Action> actions = session.take_actions();
    ASSERT_EQ(actions.size(), 2u);
    EXPECT_EQ(std::get<action::Send>(actions[0]).bytes, "S");
    EXPECT_TRUE(std::holds_alternative<action::StartTls>(actions[1]));
    EXPECT_EQ(session.bytes_wanted(), 0u);
    session.on_tls(std::move(facts));
}

std::string password_message(std::string_view password) {
    return MessageWriter().begin('p').text(password).end().take();
}

TEST(ClientSession, LogsInThroughTlsWithAPassword) {
    ClientSession session;
    begin_tls(session, {.server_name = "ep-1.example.com"});
    feed_all(session, startup_packet({{"user", "u"},
                                      {"database", "d"},
                                      {"application_name", "psql"},
                                      {"options", "endpoint=ep-2 -c geqo=off"},
                                      {"replication", "off"}}));
    auto route = only<action::Route>(session);
    EXPECT_EQ(route.server_name, "ep-1.example.com");
    EXPECT_EQ(route.endpoint, "ep-2");
    EXPECT_EQ(session.bytes_wanted(), 0u);

    session.routed();
    EXPECT_EQ(only<action::Send>(session).bytes, std::string("R\0\0\0\x08\0\0\0\x03", 9));
    std::string token(60'000, 't');
    feed_all(session, password_message(token));
    auto login = only<action::Authenticate>(session);
    EXPECT_EQ(login.user, "u");
    EXPECT_EQ(login.database, "d");
    EXPECT_EQ(login.password, token);
    EXPECT_EQ(session.bytes_wanted(), 0u);

    session.accept();
    EXPECT_EQ(session.state(), State::accepted);
    Parameters expected{
        {"user", "u"}, {"database", "d"}, {"application_name", "psql"}, {"options", "-c geqo=off"}};
    EXPECT_EQ(session.server_parameters(), expected);
}

TEST(ClientSession, TakesBytesOneByOneAndNeverMoreThanThePacket) {
    ClientSession session;
    std::string first = ssl_request() + "early TLS bytes";
    for (size_t i = 0; i < 8; ++i) EXPECT_EQ(session.feed(first.substr(i, 1)), 1u);
    EXPECT_EQ(session.feed(first.substr(8)), 0u);
    session.take_actions();
    session.on_tls({});
    std::string startup = startup_packet({{"user", "u"}});
    for (char c : startup) EXPECT_EQ(session.feed({&c, 1}), 1u);
    EXPECT_EQ(session.feed("x"), 0u);
    EXPECT_EQ(only<action::Route>(session).endpoint, "");
}

TEST(ClientSession, RefusesAPlainConnectionBeforeAnyPassword) {  // I1
    ClientSession session;
    feed_all(session, startup_packet({{"user", "u"}}));
    ErrorFields error = refusal(session);
    EXPECT_EQ(error.sqlstate, "28000");
    EXPECT_NE(error.hint.find("sslmode=require"), std::string::npos);
    EXPECT_EQ(session.feed(password_message("secret")), 0u);
    session.routed();
    session.refuse(tarn::error(Code::internal, "again"));
    EXPECT_TRUE(session.take_actions().empty());  // I3
}

TEST(ClientSession, SaysNoToGssOnceAndGoesOn) {
    ClientSession session;
    std::string gss = MessageWriter().begin(0).be32(80877104).end().take();
    feed_all(session, gss);
    EXPECT_EQ(only<action::Send>(session).bytes, "N");
    begin_tls(session);
    feed_all(session, startup_packet({{"user", "u"}}));
    only<action::Route>(session);

    ClientSession twice;
    feed_all(twice, gss);
    feed_all(twice, gss);
    EXPECT_EQ(refusal(twice).sqlstate, "08P01");
}

TEST(ClientSession, RefusesTlsInsideOfTls) {
    ClientSession session;
    begin_tls(session);
    feed_all(session, ssl_request());
    EXPECT_EQ(refusal(session).sqlstate, "08P01");
}

TEST(ClientSession, DirectTlsNeedsAlpn) {
    ClientSession with;
    with.on_direct_tls();
    only<action::StartTls>(with);
    with.on_tls({.server_name = "", .alpn = true});
    feed_all(with, startup_packet({{"user", "u"}}));
    only<action::Route>(with);

    ClientSession without;
    without.on_direct_tls();
    without.on_tls({});
    EXPECT_EQ(refusal(without).sqlstate, "08P01");
}

TEST(ClientSession, PassesCancelRequestsOnWithAndWithoutTls) {
    CancelKey key{42, "abcd"};
    ClientSession plain;
    feed_all(plain, cancel_request(key));
    EXPECT_EQ(only<action::Cancel>(plain).key, key);
    ClientSession secure;
    begin_tls(secure);
    feed_all(secure, cancel_request(key));
    EXPECT_EQ(only<action::Cancel>(secure).key, key);
    EXPECT_EQ(secure.bytes_wanted(), 0u);
}

TEST(ClientSession, AgreesOnTheNewestMinorVersionItKnows) {
    struct Case {
        uint16_t asked;
        bool answered;
        size_t secret_bytes;
    };
    for (const Case& c :
         {Case{0, false, 4}, Case{1, true, 4}, Case{2, false, 32}, Case{9999, true, 32}}) {
        ClientSession session;
        begin_tls(session);
        feed_all(session, startup_packet({{"user", "u"}}, c.asked));
        std::vector<Action> actions = session.take_actions();
        ASSERT_EQ(actions.size(), c.answered ? 2u : 1u) << c.asked;
        if (c.answered) {
            EXPECT_EQ(std::get<action::Send>(actions[0]).bytes.front(), 'v');
        }
        EXPECT_EQ(session.cancel_secret_bytes(), c.secret_bytes);
    }
    ClientSession session;
    begin_tls(session);
    feed_all(session, startup_packet({{"user", "u"}, {"_pq_.x", "1"}}));
    EXPECT_EQ(std::get<action::Send>(session.take_actions().at(0)).bytes,
              std::string("v\0\0\0\x13\0\3\0\0\0\0\0\1_pq_.x\0", 20));
}

TEST(ClientSession, RefusesStartupsThatCannotBeServed) {
    struct Case {
        Parameters parameters;
        std::string_view sqlstate;
    };
    for (const Case& c : {Case{{{"database", "d"}}, "28000"},
                          Case{{{"user", "u"}, {"replication", "database"}}, "0A000"}}) {
        ClientSession session;
        begin_tls(session);
        feed_all(session, startup_packet(c.parameters));
        EXPECT_EQ(refusal(session).sqlstate, c.sqlstate);
    }
}

TEST(ClientSession, RefusesWhatIsNoPasswordMessage) {  // I2
    for (const std::string& bytes :
         {MessageWriter().begin('Q').text("select 1").end().take(),
          MessageWriter().begin('p').be32(0x61616161).end().take(),  // not terminated
          MessageWriter().begin('p').text("a").text("b").end().take(), std::string("p\0\0\0\4", 5),
          std::string("p\0\0\0\3", 5), std::string("p\0\0\xff\xff", 5),
          std::string("p\xff\xff\xff\xff", 5)}) {
        ClientSession session;
        begin_tls(session);
        feed_all(session, startup_packet({{"user", "u"}}));
        session.routed();
        session.feed(std::string_view(bytes).substr(0, 5));
        session.feed(std::string_view(bytes).substr(5));
        EXPECT_EQ(refusal(session).sqlstate, "08P01");
    }
}

}  // namespace
}  // namespace tarn::pgwire
