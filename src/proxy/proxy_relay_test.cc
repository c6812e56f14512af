// What flows through the proxy once a client is logged in: rows, COPY, cancels, ends.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <random>

#include "pgwire/message.h"
#include "proxy/proxy_fixture.h"

namespace tarn::proxy::testing {
namespace {

// Of this process, in bytes.
size_t resident_bytes() {
    size_t total = 0;
    size_t resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST_F(ProxyTest, AHundredMegabytesArriveAsTheyWereSent) {
    const std::string rows =
        "select md5(i::text) || repeat(chr(65 + i % 26), 968) from generate_series(1, 100000) i";
    auto digest = [](std::vector<std::string> psql) {
        psql.insert(psql.begin(), {"sh", "-c", "\"$@\" | md5sum", "sh"});
        return Program(psql, {{"PGPASSWORD", "secret"}}).wait().output;
    };
    std::vector<std::string> direct{
        "psql", "-XAtq",   "-h", server->socket_directory(),     "-U", "postgres",
        "-d",   kDatabase, "-c", "copy (" + rows + ") to stdout"};
    std::string expected = digest(direct);
    EXPECT_EQ(expected.size(), std::string("d41d8cd98f00b204e9800998ecf8427e  -\n").size());
    EXPECT_NE(expected, "d41d8cd98f00b204e9800998ecf8427e  -\n");
    EXPECT_EQ(digest(psql("sslmode=require", "copy (" + rows + ") to stdout")), expected);
    EXPECT_EQ(digest(psql("sslmode=require", rows)), expected);
    EXPECT_TRUE(eventually([&] { return proxy->counters().connections_open == 0; }));
    EXPECT_GT(proxy->counters().bytes_from_servers, 200'000'000u);
}

TEST_F(ProxyTest, CopyInStoresWhatTheClientHas) {
    std::string path = directory + "/rows";
    {
        std::ofstream rows(path);
        for (int i = 0; i < 200'000; ++i)
            rows << i << '\t' << std::string(static_cast<size_t>(60 + i % 40), 'x') << '\n';
    }
    ASSERT_EQ(
        run_psql("sslmode=require", "secret", "create table if not exists copied (i int, t text)")
            .status,
        0);
    Finished in = run_psql("sslmode=require", "secret", "copy copied from stdin", path);
    ASSERT_EQ(in.status, 0) << in.errors;
    Finished out =
        run_psql("sslmode=require", "secret", "copy (select * from copied order by i) to stdout");
    std::ostringstream sent;
    sent << std::ifstream(path).rdbuf();
    EXPECT_TRUE(out.output == sent.str()) << out.output.size() << " bytes came back";
    run_psql("sslmode=require", "secret", "drop table copied");
}

TEST_F(ProxyTest, AClientThatDoesNotReadCostsNoMemory) {
    std::unique_ptr<Client> lazy = logged_in();
    size_t before = resident_bytes();
    lazy->send(pgwire::MessageWriter()
                   .begin('Q')
                   .text("select repeat('x', 1000) from generate_series(1, 200000)")
                   .end()
                   .take());
    // The server is stuck with most of its rows: the proxy has stopped reading.
    ASSERT_TRUE(eventually([&] {
        return server->query(
                   "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'") == "1";
    }));
    EXPECT_EQ(run_psql("sslmode=require", "secret", "select 1").output, "1\n")
        << "others are served";
    EXPECT_LT(resident_bytes(), before + (size_t{32} << 20));
    size_t rows = 0;
    for (char type = 0; type != 'Z';) {
        type = lazy->receive().first;
        ASSERT_NE(type, 0);
        rows += type == 'D';
    }
    EXPECT_EQ(rows, 200'000u);
}

TEST_F(ProxyTest, TwoHundredClientsAtOnceAreServed) {
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(logged_in());
    EXPECT_EQ(proxy->counters().connections_open, 200u);
    EXPECT_EQ(proxy->activity("ep-1")->sessions, 200u);
    for (size_t i = 0; i < clients.size(); ++i)
        clients[i]->send(
            pgwire::MessageWriter().begin('Q').text(fmt::format("select {}", i)).end().take());
    for (size_t i = 0; i < clients.size(); ++i)
        EXPECT_EQ(clients[i]->receive_until('D').substr(6), std::to_string(i));
    clients.clear();
    EXPECT_TRUE(eventually([&] { return proxy->counters().connections_open == 0; }));
    EXPECT_EQ(proxy->activity("ep-1")->sessions, 0u);
    EXPECT_TRUE(eventually([&] {
        return server->query(
                   "select count(*) from pg_stat_activity where usename = 'me@example.com'") == "0";
    }));
}

TEST_F(ProxyTest, ClientsThatLogInAtTheSameMomentAllGetIn) {
    std::vector<std::future<bool>> logins;
    for (int i = 0; i < 32; ++i)
        logins.push_back(std::async(std::launch::async, [&] {
            Client client(kHost, port);
            return client.start_tls() &&
                   client.log_in({{"user", kUser}, {"database", kDatabase}}, "secret") &&
                   client.query("select 1") == "1";
        }));
    for (auto& login : logins) EXPECT_TRUE(login.get());
}

TEST_F(ProxyTest, CtrlCInPsqlCancelsTheStatement) {
    Program sleeper(psql("sslmode=require", "select pg_sleep(600)"), {{"PGPASSWORD", "secret"}});
    ASSERT_TRUE(eventually([&] {
        return server->query(
                   "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1";
    }));
    sleeper.signal(SIGINT);
    Finished psql = sleeper.wait();
    EXPECT_NE(psql.errors.find("canceling statement due to user request"), std::string::npos)
        << psql.errors;
    EXPECT_EQ(proxy->counters().cancels_forwarded, 1u);
}

TEST_F(ProxyTest, OnlyTheRightCancelKeyCancels) {
    std::unique_ptr<Client> sleeper = logged_in();
    sleeper->send(pgwire::MessageWriter().begin('Q').text("select pg_sleep(600)").end().take());
    ASSERT_TRUE(eventually([&] {
        return server->query(
                   "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1";
    }));
    pgwire::CancelKey wrong = sleeper->cancel_key;
    wrong.secret[0] = static_cast<char>(wrong.secret[0] ^ 1);
    Client guesser(kHost, port);
    guesser.send(pgwire::cancel_request(wrong));
    EXPECT_TRUE(guesser.at_end());
    EXPECT_EQ(proxy->counters().cancels_forwarded, 0u);

    Client canceller(kHost, port);  // inside of TLS, as libpq 17 does
    ASSERT_TRUE(canceller.start_tls());
    canceller.send(pgwire::cancel_request(sleeper->cancel_key));
    EXPECT_TRUE(canceller.at_end());
    sleeper->receive_until('E');
    EXPECT_EQ(sleeper->error.sqlstate, "57014");
    pgwire::CancelKey stale = sleeper->cancel_key;
    sleeper.reset();
    EXPECT_TRUE(eventually([&] { return proxy->activity("ep-1")->sessions == 0; }));
    Client late(kHost, port);
    late.send(pgwire::cancel_request(stale));
    EXPECT_TRUE(late.at_end());
    EXPECT_EQ(proxy->counters().cancels_forwarded, 1u);
}

TEST_F(ProxyTest, DisconnectTellsTheSessionsOfItsEndpointWhy) {
    backplane.serve("127.64.77.2", "ep-2");
    proxy->add_listener("127.64.77.2").value();
    std::unique_ptr<Client> idle = logged_in();
    std::unique_ptr<Client> busy = logged_in();
    busy->send(pgwire::MessageWriter().begin('Q').text("select pg_sleep(600)").end().take());
    Client typing(kHost, port);  // has not yet sent its password
    ASSERT_TRUE(typing.start_tls());
    typing.send(pgwire::startup_packet({{"user", kUser}}));
    typing.receive_until('R');
    proxy->disconnect("ep-2", error(Code::unavailable, "not for you"));
    proxy->disconnect("ep-1", error(Code::unavailable, "the endpoint was deleted"));
    for (Client* client : {idle.get(), busy.get(), &typing}) {
        client->receive_until('E');
        EXPECT_EQ(client->error.sqlstate, "57P01");
        EXPECT_EQ(client->error.message, "the endpoint was deleted");
        EXPECT_TRUE(client->at_end());
    }
    EXPECT_TRUE(eventually([&] { return proxy->counters().connections_open == 0; }));
}

TEST_F(ProxyTest, AServerThatShutsDownSaysSoItself) {
    std::unique_ptr<Client> client = logged_in();
    server->stop();
    client->receive_until('E');
    EXPECT_EQ(client->error.sqlstate, "57P01");
    EXPECT_TRUE(client->at_end());
    server->start();
    EXPECT_EQ(logged_in()->query("select 1"), "1");
}

TEST_F(ProxyTest, AServerThatIsKilledCannotSaySoAndTheProxyDoes) {
    std::unique_ptr<Client> idle = logged_in();
    std::unique_ptr<Client> busy = logged_in();
    auto pid = [](Client& client) { return std::stoi(client.query("select pg_backend_pid()")); };
    int pids[] = {pid(*idle), pid(*busy)};
    busy->send(pgwire::MessageWriter().begin('Q').text("select pg_sleep(600)").end().take());
    ASSERT_TRUE(eventually([&] {
        return server->query(
                   "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1";
    }));
    // All at once, or the others would be told by the postmaster.
    for (int each : pids) ::kill(each, SIGSTOP);
    for (int each : pids) ::kill(each, SIGKILL);
    for (Client* client : {idle.get(), busy.get()}) {
        client->receive_until('E');
        EXPECT_EQ(client->error.sqlstate, "57P02");
        EXPECT_EQ(client->error.message, "the compute of this endpoint ended unexpectedly");
        EXPECT_TRUE(client->at_end());
    }
    EXPECT_TRUE(eventually(
        [&] { return run_psql("sslmode=require", "secret", "select 1").output == "1\n"; }));
}

TEST_F(ProxyTest, AClientThatSaidGoodbyeIsToldNothing) {
    std::unique_ptr<Client> client = logged_in();
    client->send(pgwire::MessageWriter().begin('X').end().take());
    EXPECT_TRUE(client->at_end());
}

TEST_F(ProxyTest, ActivityCountsSessionsAndMovesWithTheirBytes) {
    std::unique_ptr<Client> client = logged_in();
    EndpointActivity first = proxy->activity("ep-1").value();
    EXPECT_EQ(first.sessions, 1u);
    EXPECT_EQ(client->query("select 1"), "1");
    EndpointActivity second = proxy->activity("ep-1").value();
    EXPECT_GT(second.last_active, first.last_active);
    EXPECT_EQ(proxy->activity("ep-1")->last_active, second.last_active)
        << "an idle session is not active";
    client.reset();
    EXPECT_TRUE(eventually([&] { return proxy->activity("ep-1")->sessions == 0; }));
    proxy->forget("ep-1");
    EXPECT_FALSE(proxy->activity("ep-1").has_value());
}

TEST_F(ProxyTest, LimitsAreToldToTheClient) {
    Options small = options();
    small.connections_max = 3;
    small.endpoint_sessions_max = 2;
    restart(small);
    std::unique_ptr<Client> first = logged_in();
    std::unique_ptr<Client> second = logged_in();
    Client third(kHost, port);
    ASSERT_TRUE(third.start_tls());
    EXPECT_FALSE(third.log_in({{"user", kUser}}, "secret"));
    EXPECT_EQ(third.error.sqlstate, "53300");
    EXPECT_NE(third.error.message.find("endpoint \"ep-1\" takes 2"), std::string::npos)
        << third.error.message;
    Client fourth(kHost, port);  // the third lingers, for it has not closed its side
    ASSERT_TRUE(fourth.start_tls());
    EXPECT_FALSE(fourth.log_in({{"user", kUser}}, "secret"));
    EXPECT_EQ(fourth.error.sqlstate, "53300");
    EXPECT_NE(fourth.error.message.find("the server takes 3"), std::string::npos)
        << fourth.error.message;
    EXPECT_EQ(backplane.logins, 3);
}

TEST_F(ProxyTest, SessionsEndWhenIdleOrOld) {
    for (bool idle : {true, false}) {
        Options strict = options();
        (idle ? strict.idle_timeout : strict.lifetime_max) = std::chrono::milliseconds(300);
        restart(strict);
        std::unique_ptr<Client> client = logged_in();
        client->receive_until('E');
        EXPECT_EQ(client->error.sqlstate, idle ? "57P05" : "57P01");
        EXPECT_TRUE(client->at_end());
    }
}

TEST_F(ProxyTest, ARemovedListenerRefusesAndItsAddressCanBeListenedOnAgain) {
    std::unique_ptr<Client> client = logged_in();
    proxy->remove_listener(kHost);
    sys::Socket probe(::socket(AF_INET, SOCK_STREAM, 0));
    sys::SocketAddress address = sys::SocketAddress::parse(kHost, port).value();
    EXPECT_NE(::connect(probe.fd(), address.raw(), address.raw_bytes()), 0);
    EXPECT_EQ(client->query("select 1"), "1") << "sessions stay";
    port = proxy->add_listener(kHost).value();
    EXPECT_EQ(proxy->add_listener(kHost).value(), port) << "again is fine";
    EXPECT_EQ(logged_in()->query("select 1"), "1");
}

TEST_F(ProxyTest, APortInUseIsNamedWithItsHolder) {
    sys::Socket everywhere =
        sys::listen_tcp(sys::SocketAddress::parse("0.0.0.0", 0).value()).value();
    Options taken = options();
    taken.port = sys::SocketAddress::local_of(everywhere).value().port();
    auto other = Proxy::start(taken, backplane).value();
    Result<uint16_t> added = other->add_listener("127.64.77.5");
    ASSERT_FALSE(added.ok());
    EXPECT_NE(added.error().text().find(fmt::format("(pid {}) on 0.0.0.0", getpid())),
              std::string::npos)
        << added.error().text();
}

TEST_F(ProxyTest, WithoutDescriptorsClientsWaitInsteadOfBeingRefused) {
    sys::Socket waiting(::socket(AF_INET, SOCK_STREAM, 0));
    int lowest_free = dup(waiting.fd());
    close(lowest_free);
    rlimit before = {};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none_left = before;
    none_left.rlim_cur = static_cast<rlim_t>(lowest_free);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    sys::SocketAddress address = sys::SocketAddress::parse(kHost, port).value();
    EXPECT_EQ(::connect(waiting.fd(), address.raw(), address.raw_bytes()), 0);
    bool paused = eventually([&] { return proxy->counters().accept_pauses > 0; });
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(paused);
    EXPECT_TRUE(eventually([&] { return proxy->counters().connections_open == 1; }));
    EXPECT_EQ(logged_in()->query("select 1"), "1");
}

TEST_F(ProxyTest, NoiseAtAnyStageHarmsNobodyElse) {
    const char* given = std::getenv("TARN_SEED");
    uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
    std::printf("TARN_SEED=%llu\n", static_cast<unsigned long long>(seed));
    std::mt19937_64 random(seed);
    auto noise = [&] {
        std::string bytes(random() % 300, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random());
        return bytes;
    };
    std::unique_ptr<Client> bystander = logged_in();
    for (int i = 0; i < 300; ++i) {
        Client client(kHost, port);
        size_t stage = random() % 5;
        if (stage == 1) client.send(pgwire::ssl_request());
        if (stage > 1) {
            ASSERT_TRUE(client.start_tls());
        }
        if (stage > 2)
            client.send(pgwire::startup_packet({{"user", kUser}, {"database", kDatabase}}));
        if (stage > 3) client.send(pgwire::MessageWriter().begin('p').text("secret").end().take());
        client.send(noise());
        if (random() % 2 == 0) client.end_sending();
    }
    EXPECT_EQ(bystander->query("select 1"), "1");
    bystander.reset();
    EXPECT_TRUE(eventually([&] { return proxy->counters().connections_open == 0; }));
    EXPECT_EQ(proxy->activity("ep-1")->sessions, 0u);
}

TEST_F(ProxyTest, StoppingEndsEverySession) {
    std::unique_ptr<Client> client = logged_in();
    proxy->stop();
    proxy->stop();
    client->receive_until('E');
    EXPECT_EQ(client->error.sqlstate, "57P01");
    EXPECT_TRUE(client->at_end());
}

TEST_F(ProxyTest, TheAuthorityOutlivesTheServer) {
    std::ostringstream before, after;
    before << std::ifstream(proxy->ca_file()).rdbuf();
    restart(options());
    after << std::ifstream(proxy->ca_file()).rdbuf();
    EXPECT_EQ(before.str(), after.str());
    EXPECT_EQ(run_psql("sslmode=verify-full sslrootcert=" + proxy->ca_file(), "secret", "select 1")
                  .output,
              "1\n");
}

}  // namespace
}  // namespace tarn::proxy::testing
