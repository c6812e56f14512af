#include "sys/sockets.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "sys/poller.h"
#include "sys/port_holder.h"

namespace tarn::sys {
namespace {

SocketAddress address(const std::string& host, uint16_t port) {
    return SocketAddress::parse(host, port).value();
}

// A listener on a port that was free a moment ago.
Socket listener(const std::string& host, uint16_t& port) {
    Socket socket = listen_tcp(address(host, 0)).value();
    port = SocketAddress::local_of(socket).value().port();
    return socket;
}

TEST(SocketAddress, PrintsWhatItReads) {
    EXPECT_EQ(address("127.64.0.5", 5432).text(), "127.64.0.5:5432");
    EXPECT_EQ(address("::1", 5432).text(), "[::1]:5432");
    EXPECT_EQ(address("::ffff:127.64.0.5", 1).host(), "127.64.0.5");
    for (const char* bad : {"", "localhost", "127.0.0.256", "1.2.3"})
        EXPECT_EQ(SocketAddress::parse(bad, 1).error().code(), Code::invalid_argument) << bad;
}

TEST(Socket, ListenersOfOnePortLiveSideBySideOnLoopbackAddresses) {
    uint16_t port = 0;
    Socket first = listener("127.64.9.1", port);
    EXPECT_TRUE(listen_tcp(address("127.64.9.2", port)).ok());
}

TEST(Socket, AnAddressInUseNamesItsHolder) {
    uint16_t port = 0;
    Socket everywhere = listener("0.0.0.0", port);
    Result<Socket> second = listen_tcp(address("127.64.9.1", port));
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().message().find(fmt::format("(pid {}) on 0.0.0.0:{}", getpid(), port)),
              std::string::npos)
        << second.error().text();
    EXPECT_NE(second.error().hint().find("127.0.0.1"), std::string::npos);
    everywhere.close();

    Socket same = listen_tcp(address("127.64.9.1", port)).value();
    second = listen_tcp(address("127.64.9.1", port));
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().message().find("on 127.64.9.1:"), std::string::npos);
    EXPECT_TRUE(port_holders(address("127.64.9.2", port)).empty());
}

TEST(Socket, AnAddressOfAnotherMachineIsToldWithTheWayOut) {
    Result<Socket> far = listen_tcp(address("192.0.2.1", 0));  // of no machine (RFC 5737)
    ASSERT_FALSE(far.ok());
    EXPECT_NE(far.error().message().find("192.0.2.1"), std::string::npos);
    EXPECT_NE(far.error().hint().find("127.0.0.1"), std::string::npos);
    EXPECT_NE(listening_failed(EACCES, "listen", "127.0.0.1", 443).hint().find("start=443"),
              std::string::npos);
}

TEST(Socket, AnAcceptedSocketKnowsTheAddressThatWasDialled) {
    uint16_t port = 0;
    Socket everywhere = listener("0.0.0.0", port);
    EXPECT_FALSE(accept_client(everywhere).value().has_value());
    Socket client(::socket(AF_INET, SOCK_STREAM, 0));
    SocketAddress dialled = address("127.64.9.7", port);
    ASSERT_EQ(::connect(client.fd(), dialled.raw(), dialled.raw_bytes()), 0);
    std::optional<Socket> accepted = accept_client(everywhere).value();
    ASSERT_TRUE(accepted.has_value());
    EXPECT_EQ(SocketAddress::local_of(*accepted).value().host(), "127.64.9.7");
}

TEST(Socket, ReadsAndWritesAndSeesTheEnd) {
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    Socket left(pair[0]), right(pair[1]);
    char buffer[8];
    EXPECT_EQ(receive(right, buffer, sizeof buffer).kind, Io::would_block);
    EXPECT_EQ(send(left, "hello").bytes, 5u);
    char first = 0;
    EXPECT_EQ(peek_byte(right, first).kind, Io::moved);
    EXPECT_EQ(first, 'h');
    EXPECT_EQ(receive(right, buffer, sizeof buffer).bytes, 5u);
    end_sending(left);
    EXPECT_EQ(receive(right, buffer, sizeof buffer).kind, Io::ended);
    EXPECT_EQ(send(right, "back").kind, Io::moved);
    left.close();
    EXPECT_EQ(send(right, "x").kind, Io::failed);
}

TEST(Socket, AMissingServerIsAnError) {
    Result<Socket> none = connect_unix("/nonexistent/.s.PGSQL.5432");
    EXPECT_EQ(none.error().os_errno(), ENOENT);
    EXPECT_FALSE(connect_unix("/" + std::string(200, 'x')).ok());
}

TEST(Poller, ReportsAStreamOncePerChangeAndAWakerUntilCleared) {
    Poller poller = Poller::create().value();
    Waker waker = Waker::create().value();
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    Socket left(pair[0]), right(pair[1]);
    ASSERT_TRUE(poller.watch_stream(right, 7).ok());
    ASSERT_TRUE(poller.watch_readable(waker.socket(), 8).ok());

    std::array<Ready, 4> ready;
    EXPECT_TRUE(poller.wait(ready, 0).empty());
    poller.watch_room(right, 7, true);
    auto seen = poller.wait(ready, 1000);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_TRUE(seen[0].tag == 7 && seen[0].writable && !seen[0].readable);
    poller.watch_room(right, 7, false);
    EXPECT_TRUE(poller.wait(ready, 0).empty());

    send(left, "x");
    seen = poller.wait(ready, 1000);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_TRUE(seen[0].readable && !seen[0].hung_up);

    waker.wake();
    for (int i = 0; i < 2; ++i) {
        seen = poller.wait(ready, 1000);
        ASSERT_EQ(seen.size(), 1u);
        EXPECT_EQ(seen[0].tag, 8u);
    }
    waker.clear();
    left.close();
    seen = poller.wait(ready, 1000);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_TRUE(seen[0].tag == 7 && seen[0].hung_up && seen[0].failed);
}

}  // namespace
}  // namespace tarn::sys
