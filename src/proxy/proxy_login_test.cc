// Logins through the proxy to a real PostgreSQL, with real and with hand-made clients.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <future>

#include "pgwire/message.h"
#include "proxy/proxy_fixture.h"

namespace tarn::proxy::testing {
namespace {

// A compute that takes a connection and says nothing, as one that is being stopped.
class SilentServer {
  public:
    explicit SilentServer(const std::string& directory)
        : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        std::filesystem::create_directories(directory);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (directory + "/.s.PGSQL.5432").copy(address.sun_path, sizeof(address.sun_path) - 1);
        EXPECT_EQ(::bind(listener_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof(address)),
                  0);
        EXPECT_EQ(::listen(listener_.fd(), 1), 0);
    }
    // Until somebody has connected and sent something.
    void await_startup() {
        taken_ = sys::Socket(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        char byte = 0;
        EXPECT_EQ(::recv(taken_.fd(), &byte, 1, 0), 1);
    }

  private:
    sys::Socket listener_, taken_;
};

TEST_F(ProxyTest, PsqlLogsInWithTlsRequired) {
    Finished psql =
        run_psql("sslmode=require", "secret",
                 "select current_user, current_database(), current_setting('application_name')");
    EXPECT_EQ(psql.output, "me@example.com|databricks_postgres|psql\n") << psql.errors;
    EXPECT_EQ(backplane.logins, 1);
    EXPECT_EQ(backplane.wakes, 1);
}

TEST_F(ProxyTest, PsqlVerifiesTheServerByItsAddressAndByLocalhost) {
    std::string verified = "sslmode=verify-full sslrootcert=" + proxy->ca_file();
    EXPECT_EQ(run_psql(verified, "secret", "select 1").output, "1\n");
    // As for the two drivers that check that name whatever the host.
    EXPECT_EQ(run_psql(verified + " host=localhost hostaddr=" + kHost, "secret", "select 1").output,
              "1\n");

    Finished wrong =
        run_psql(verified + " host=elsewhere.example.com hostaddr=" + kHost, "secret", "select 1");
    EXPECT_EQ(wrong.status, 2);
    EXPECT_NE(wrong.errors.find("does not match host name"), std::string::npos) << wrong.errors;

    Options other;
    other.tls.directory = directory + "/other-ca";
    auto stranger = Proxy::start(other, backplane).value();
    wrong =
        run_psql("sslmode=verify-full sslrootcert=" + stranger->ca_file(), "secret", "select 1");
    EXPECT_NE(wrong.errors.find("certificate verify failed"), std::string::npos) << wrong.errors;
}

TEST_F(ProxyTest, PlainConnectionsAreRefusedBeforeAnyPassword) {
    Finished psql = run_psql("sslmode=disable", "secret", "select 1");
    EXPECT_EQ(psql.status, 2);
    EXPECT_NE(psql.errors.find("connection without TLS refused"), std::string::npos) << psql.errors;
    EXPECT_NE(psql.errors.find("sslmode=require"), std::string::npos);
    EXPECT_EQ(run_psql("sslmode=prefer", "secret", "select 1").output, "1\n");

    Client client(kHost, port);
    EXPECT_FALSE(client.log_in({{"user", kUser}}, "secret"));
    EXPECT_EQ(client.error.sqlstate, "28000");
    EXPECT_EQ(backplane.logins, 1);
}

TEST_F(ProxyTest, AWrongPasswordWakesNothing) {
    Finished psql = run_psql("sslmode=require", "wrong", "select 1");
    EXPECT_EQ(psql.status, 2);
    EXPECT_NE(psql.errors.find("password authentication failed for user \"me@example.com\""),
              std::string::npos)
        << psql.errors;
    EXPECT_EQ(backplane.logins, 1);
    EXPECT_EQ(backplane.wakes, 0);
    EXPECT_FALSE(proxy->activity("ep-1").has_value());
}

TEST_F(ProxyTest, WhatIsMissingIsSaid) {
    Finished psql = run_psql("sslmode=require dbname=nowhere", "secret", "select 1");
    EXPECT_NE(psql.errors.find("database \"nowhere\" does not exist"), std::string::npos)
        << psql.errors;

    Client client(kHost, port);
    ASSERT_TRUE(client.start_tls());
    EXPECT_FALSE(client.log_in({{"user", kUser}, {"database", "nowhere"}}, "secret"));
    EXPECT_EQ(client.error.sqlstate, "3D000");
    EXPECT_EQ(client.error.severity, "FATAL");

    uint16_t other = proxy->add_listener("127.64.77.99").value();  // nobody's address
    Client lost("127.64.77.99", other);
    ASSERT_TRUE(lost.start_tls());
    EXPECT_FALSE(lost.log_in({{"user", kUser}}, "secret"));
    EXPECT_EQ(lost.error.sqlstate, "3D000");
    EXPECT_NE(lost.error.message.find("does not exist"), std::string::npos);
}

TEST_F(ProxyTest, AFailedWakeIsToldWithItsReason) {
    backplane.set_wake([](Backplane::Awake done) {
        done(error(Code::internal, "PostgreSQL 17 is not installed").with_hint("install it"));
    });
    Client client(kHost, port);
    ASSERT_TRUE(client.start_tls());
    EXPECT_FALSE(client.log_in({{"user", kUser}}, "secret"));
    EXPECT_EQ(client.error.sqlstate, "57P03");
    EXPECT_NE(client.error.message.find("PostgreSQL 17 is not installed"), std::string::npos);
    EXPECT_EQ(client.error.hint, "install it");
    EXPECT_TRUE(client.at_end());
    EXPECT_EQ(proxy->activity("ep-1")->sessions, 0u);
}

TEST_F(ProxyTest, AClientWaitsForTheWakeAndIsCountedMeanwhile) {
    std::promise<Backplane::Awake> asked;
    backplane.set_wake([&](Backplane::Awake done) { asked.set_value(std::move(done)); });
    Client client(kHost, port);
    ASSERT_TRUE(client.start_tls());
    auto logged_in = std::async(std::launch::async, [&] {
        return client.log_in({{"user", kUser}, {"database", kDatabase}}, "secret");
    });
    Backplane::Awake done = asked.get_future().get();
    EXPECT_EQ(proxy->activity("ep-1")->sessions, 1u);
    EXPECT_EQ(logged_in.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
    done(server->socket_directory());
    EXPECT_TRUE(logged_in.get()) << client.error.message;
    EXPECT_EQ(client.query("select 42"), "42");
}

TEST_F(ProxyTest, WhoLogsInWhileSessionsEndGetsTheNextCompute) {
    std::unique_ptr<Client> session = logged_in();
    SilentServer stopping(directory + "/stopping");
    std::atomic<bool> stopped = false;
    backplane.set_wake([&](const Backplane::Awake& done) {
        done(stopped ? server->socket_directory() : directory + "/stopping");
    });
    Client client(kHost, port);
    ASSERT_TRUE(client.start_tls());
    auto login = std::async(std::launch::async, [&] {
        return client.log_in({{"user", kUser}, {"database", kDatabase}}, "secret");
    });
    stopping.await_startup();
    stopped = true;
    proxy->end_sessions("ep-1", error(Code::unavailable, "the branch was restored"));
    session->receive_until('E');
    EXPECT_EQ(session->error.sqlstate, "57P01");
    EXPECT_EQ(session->error.message, "the branch was restored");
    EXPECT_TRUE(session->at_end());
    EXPECT_TRUE(login.get()) << client.error.message;
    EXPECT_EQ(client.query("select 42"), "42");
}

// C2: a query right behind the password, in one TLS record, is for a server that is not there yet.
TEST_F(ProxyTest, WhatAClientSendsBeforeItsTurnWaitsForIt) {
    std::promise<Backplane::Awake> asked;
    backplane.set_wake([&](Backplane::Awake done) { asked.set_value(std::move(done)); });
    Client client(kHost, port);
    ASSERT_TRUE(client.start_tls());
    client.send(pgwire::startup_packet({{"user", kUser}, {"database", kDatabase}}));
    client.receive_until('R');
    client.send(pgwire::MessageWriter().begin('p').text("secret").end().take() +
                pgwire::MessageWriter().begin('Q').text("select 42").end().take());
    asked.get_future().get()(server->socket_directory());
    EXPECT_EQ(client.receive_until('Z'), "I") << client.error.message;
    EXPECT_EQ(client.receive_until('D').substr(6), "42");
}

// C3
TEST_F(ProxyTest, AComputeThatNeverAnswersIsGivenUp) {
    Options impatient = options();
    impatient.wake_timeout = std::chrono::milliseconds(200);
    restart(impatient);
    backplane.set_wake([](const Backplane::Awake&) {});
    Client client(kHost, port);
    ASSERT_TRUE(client.start_tls());
    EXPECT_FALSE(client.log_in({{"user", kUser}, {"database", kDatabase}}, "secret"));
    EXPECT_EQ(client.error.sqlstate, "57P03");
    EXPECT_NE(client.error.message.find("not ready in time"), std::string::npos);
    EXPECT_TRUE(client.at_end());
}

TEST_F(ProxyTest, AClientThatLeavesWhileItsComputeStartsIsForgotten) {
    std::promise<Backplane::Awake> asked;
    backplane.set_wake([&](Backplane::Awake done) { asked.set_value(std::move(done)); });
    auto client = std::make_unique<Client>(kHost, port);
    ASSERT_TRUE(client->start_tls());
    client->send(pgwire::startup_packet({{"user", kUser}}));
    client->receive_until('R');
    client->send(pgwire::MessageWriter().begin('p').text("secret").end().take());
    Backplane::Awake done = asked.get_future().get();
    client.reset();
    EXPECT_TRUE(eventually([&] { return proxy->counters().connections_open == 0; }));
    EXPECT_EQ(proxy->activity("ep-1")->sessions, 0u);
    done(server->socket_directory());  // nobody is there to hear it
}

TEST_F(ProxyTest, AComputeThatStartsOnlyNowIsWaitedFor) {
    server->stop();
    auto login = std::async(std::launch::async,
                            [&] { return run_psql("sslmode=require", "secret", "select 7"); });
    // Several times asked in vain.
    ASSERT_TRUE(eventually([&] { return proxy->counters().server_retries >= 3; }));
    server->start();
    Finished psql = login.get();
    EXPECT_EQ(psql.output, "7\n") << psql.errors;
    EXPECT_GT(backplane.wakes, 3);
}

TEST_F(ProxyTest, ThePasswordIsReadWhenItArrivesHoweverLate) {
    // As npm's client does: the token is minted after the server has asked for it.
    const std::string token(60'000, 't');
    std::atomic<bool> minted = false;
    backplane.set_authenticate([&](const Login& login) -> Result<void> {
        if (minted && login.password == token) return {};
        return error(Code::unauthenticated, "no");
    });
    Client client(kHost, port);
    ASSERT_TRUE(client.start_tls());
    client.send(pgwire::startup_packet({{"user", kUser}, {"database", kDatabase}}));
    ASSERT_EQ(client.receive_until('R'), std::string("\0\0\0\3", 4));
    minted = true;
    client.send(pgwire::MessageWriter().begin('p').text(token).end().take());
    EXPECT_EQ(client.receive_until('Z'), "I") << client.error.message;
}

TEST_F(ProxyTest, PsqlMaySendSixtyKilobytesAsPassword) {
    std::string token(60'000, 't');
    backplane.set_authenticate([token](const Login& login) -> Result<void> {
        if (login.password == token) return {};
        return error(Code::unauthenticated, "{} bytes came", login.password.size());
    });
    EXPECT_EQ(run_psql("sslmode=require", token, "select 1").output, "1\n");
}

TEST_F(ProxyTest, BytesThatComeOneByOneAreAsGoodAsAny) {
    Client client(kHost, port);
    for (char byte : pgwire::ssl_request()) client.send({&byte, 1});
    char answer = 0;
    ASSERT_EQ(recv(client.fd(), &answer, 1, 0), 1);
    ASSERT_EQ(answer, 'S');
    ASSERT_TRUE(client.start_direct_tls(false));
    for (char byte : pgwire::startup_packet({{"user", kUser}, {"database", kDatabase}}))
        client.send({&byte, 1});
    client.receive_until('R');
    for (char byte : pgwire::MessageWriter().begin('p').text("secret").end().take())
        client.send({&byte, 1});
    EXPECT_EQ(client.receive_until('Z'), "I");
    for (char byte : pgwire::MessageWriter().begin('Q').text("select 5").end().take())
        client.send({&byte, 1});
    EXPECT_EQ(client.receive_until('D').substr(6), "5");
}

TEST_F(ProxyTest, DirectTlsIsTakenWithAlpnOnly) {
    Client with(kHost, port);
    ASSERT_TRUE(with.start_direct_tls(true));
    EXPECT_TRUE(with.log_in({{"user", kUser}, {"database", kDatabase}}, "secret"))
        << with.error.message;
    Client without(kHost, port);
    ASSERT_TRUE(without.start_direct_tls(false));
    without.receive_until('E');
    EXPECT_NE(without.error.message.find("ALPN"), std::string::npos);
}

TEST_F(ProxyTest, SilentClientsAreDroppedBeforeTheLoginButNotWhileTheyFetchTheirPassword) {
    Options impatient = options();
    impatient.handshake_timeout = std::chrono::milliseconds(200);
    restart(impatient);
    Client silent(kHost, port);
    Client half(kHost, port);
    half.send(pgwire::ssl_request());
    char answer = 0;
    ASSERT_EQ(recv(half.fd(), &answer, 1, 0), 1);
    Client fetching(kHost, port);
    ASSERT_TRUE(fetching.start_tls());
    fetching.send(pgwire::startup_packet({{"user", kUser}, {"database", kDatabase}}));
    fetching.receive_until('R');
    EXPECT_TRUE(silent.at_end());
    EXPECT_TRUE(half.at_end());
    fetching.send(pgwire::MessageWriter().begin('p').text("secret").end().take());
    EXPECT_EQ(fetching.receive_until('Z'), "I");
}

TEST_F(ProxyTest, GarbageIsAnsweredOrDroppedAndTheRestGoesOn) {
    Client web(kHost, port);
    web.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    web.receive_until('E');
    EXPECT_EQ(web.error.sqlstate, "08P01");
    Client tls(kHost, port);
    tls.send("\x16\x03\x01 this is no ClientHello, it only begins like one");
    EXPECT_TRUE(eventually([&] { return proxy->counters().connections_open <= 1; }));
    EXPECT_EQ(run_psql("sslmode=require", "secret", "select 1").output, "1\n");
}

TEST_F(ProxyTest, ReplicationIsNotServedYet) {
    Client client(kHost, port);
    ASSERT_TRUE(client.start_tls());
    EXPECT_FALSE(client.log_in({{"user", kUser}, {"replication", "database"}}, "secret"));
    EXPECT_EQ(client.error.sqlstate, "0A000");
}

TEST_F(ProxyTest, StartupParametersReachTheServerAndTheProxysOwnDoNot) {
    Client client(kHost, port);
    ASSERT_TRUE(client.start_tls());
    ASSERT_TRUE(client.log_in({{"user", kUser},
                               {"database", kDatabase},
                               {"application_name", "app"},
                               {"options", "-c geqo=off endpoint=named-1"}},
                              "secret"))
        << client.error.message;
    EXPECT_EQ(client.query("select current_setting('application_name') || current_setting('geqo')"),
              "appoff");
    Client other(kHost, port);
    ASSERT_TRUE(other.start_tls());
    EXPECT_FALSE(other.log_in({{"user", kUser}, {"options", "endpoint=ep-2"}}, "secret"));
    EXPECT_NE(other.error.message.find("\"ep-2\" does not exist"), std::string::npos);
}

TEST_F(ProxyTest, NetworkModeRoutesBySniOrByOption) {
    Options network = options();
    network.network_address = "127.64.77.200";
    network.network_port = 0;
    network.tls.domain = "tarn.test";
    restart(network);
    std::string where = fmt::format("hostaddr=127.64.77.200 port={} ", proxy->network_port());
    std::string verified = where + "sslmode=verify-full sslrootcert=" + proxy->ca_file();
    EXPECT_EQ(run_psql(verified + " host=ep-1.tarn.test", "secret", "select 1").output, "1\n");
    EXPECT_EQ(run_psql(where + "sslmode=require host=127.64.77.200 options=endpoint=named-1",
                       "secret", "select 1")
                  .output,
              "1\n");
    Finished psql = run_psql(where + "sslmode=require host=ep-9.tarn.test", "secret", "select 1");
    EXPECT_NE(psql.errors.find("endpoint \"ep-9\" does not exist"), std::string::npos)
        << psql.errors;
    psql = run_psql(where + "sslmode=require host=127.64.77.200", "secret", "select 1");
    EXPECT_NE(psql.errors.find("options=endpoint="), std::string::npos) << psql.errors;
}

TEST_F(ProxyTest, OldAndNewProtocolVersionsGetAnAnswer) {
    for (uint16_t minor : {uint16_t{0}, uint16_t{2}}) {
        Client client(kHost, port);
        ASSERT_TRUE(client.start_tls());
        EXPECT_TRUE(client.log_in({{"user", kUser}, {"database", kDatabase}}, "secret", minor));
        EXPECT_EQ(client.cancel_key.secret.size(), minor == 2 ? 32u : 4u);
        // What pg_stat_activity, pg_blocking_pids() and notifications name.
        EXPECT_EQ(client.query("select pg_backend_pid()"), std::to_string(client.cancel_key.pid));
    }
    Client future(kHost, port);
    ASSERT_TRUE(future.start_tls());
    future.send(pgwire::startup_packet({{"user", kUser}, {"_pq_.new", "1"}}, 9));
    EXPECT_EQ(future.receive_until('v'), std::string("\0\3\0\2\0\0\0\1_pq_.new\0", 17));
}

}  // namespace
}  // namespace tarn::proxy::testing
