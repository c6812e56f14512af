#include "sys/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "sys/port_holder.h"

namespace tarn::sys {
namespace {

constexpr int kBacklog = 4096;  // the kernel cuts it to net.core.somaxconn

Io answer(ssize_t count) {
    if (count > 0) return {Io::moved, static_cast<size_t>(count), 0};
    if (count == 0) return {Io::ended, 0, 0};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {Io::would_block, 0, 0};
    return {Io::failed, 0, errno};
}

template <class Call>
ssize_t retry_interrupted(Call call) {
    ssize_t count;
    do {
        count = call();
    } while (count < 0 && errno == EINTR);
    return count;
}

void set_flag(int fd, int level, int name) {
    int on = 1;
    // Only ever options that every stream socket has; a kernel without one is merely slower.
    (void)setsockopt(fd, level, name, &on, sizeof on);
}

}  // namespace

Result<SocketAddress> SocketAddress::parse(const std::string& host, uint16_t port) {
    SocketAddress address;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage_);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage_);
    if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.bytes_ = sizeof *v4;
        return address;
    }
    if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        address.bytes_ = sizeof *v6;
        return address;
    }
    return error(Code::invalid_argument, "\"{}\" is neither an IPv4 nor an IPv6 address", host);
}

Result<SocketAddress> SocketAddress::local_of(const Socket& socket) {
    SocketAddress address;
    address.bytes_ = sizeof address.storage_;
    if (getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address.storage_), &address.bytes_) !=
        0)
        return errno_error(errno, "ask a socket for its own address");
    return address;
}

std::string SocketAddress::host() const {
    char text[INET6_ADDRSTRLEN] = "";
    if (storage_.ss_family == AF_INET) {
        inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr, text,
                  sizeof text);
    } else if (storage_.ss_family == AF_INET6) {
        const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&v6))
            inet_ntop(AF_INET, v6.s6_addr + 12, text, sizeof text);
        else
            inet_ntop(AF_INET6, &v6, text, sizeof text);
    }
    return text;
}

uint16_t SocketAddress::port() const {
    // Both kinds have the port at the same place.
    return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
}

std::string SocketAddress::text() const {
    std::string name = host();
    return name.find(':') == std::string::npos ? fmt::format("{}:{}", name, port())
                                               : fmt::format("[{}]:{}", name, port());
}

Error listening_failed(int number, std::string_view doing, const std::string& host, uint16_t port) {
    Error failed = errno_error(number, doing);
    auto address = SocketAddress::parse(host == "localhost" ? "127.0.0.1" : host, port);
    if (number == EADDRINUSE && address) return address_in_use(std::move(failed), *address);
    if (number == EACCES)
        return std::move(failed).with_hint(fmt::format(
            "run as root, or allow it with: sysctl net.ipv4.ip_unprivileged_port_start={}", port));
    if (number == EADDRNOTAVAIL)
        return std::move(failed).with_hint(
            "this machine has no such address: name one that `ip address` lists, or 127.0.0.1");
    return failed;
}

Result<Socket> listen_tcp(const SocketAddress& address) {
    Socket socket(
        ::socket(address.raw()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open())
        return errno_error(errno, fmt::format("make a socket for {}", address.text()));
    // Without it an address cannot be bound again while an old session of it lives or lingers.
    set_flag(socket.fd(), SOL_SOCKET, SO_REUSEADDR);
    if (bind(socket.fd(), address.raw(), address.raw_bytes()) == 0 &&
        ::listen(socket.fd(), kBacklog) == 0)
        return socket;
    int number = errno;
    return listening_failed(number, fmt::format("listen on {}", address.text()), address.host(),
                            address.port());
}

Result<std::optional<Socket>> accept_client(const Socket& listener) {
    ssize_t fd = retry_interrupted(
        [&] { return accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
    if (fd >= 0) {
        set_flag(static_cast<int>(fd), IPPROTO_TCP, TCP_NODELAY);
        // A peer whose machine vanished is found out in the end.
        set_flag(static_cast<int>(fd), SOL_SOCKET, SO_KEEPALIVE);
        return std::optional<Socket>(static_cast<int>(fd));
    }
    // A client that gave up while it waited is as good as none.
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED)
        return std::optional<Socket>();
    return errno_error(errno, "accept a connection");
}

Result<Socket> connect_unix(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return error(Code::invalid_argument, "connect to {}: the path is longer than {} bytes",
                     path, sizeof address.sun_path - 1);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.is_open()) return errno_error(errno, fmt::format("make a socket for {}", path));
    ssize_t status = retry_interrupted([&] {
        return connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    });
    if (status != 0) return errno_error(errno, fmt::format("connect to {}", path));
    return socket;
}

Io receive(const Socket& socket, char* buffer, size_t bytes) {
    return answer(retry_interrupted([&] { return recv(socket.fd(), buffer, bytes, 0); }));
}

Io peek_byte(const Socket& socket, char& byte) {
    return answer(retry_interrupted([&] { return recv(socket.fd(), &byte, 1, MSG_PEEK); }));
}

Io send(const Socket& socket, std::string_view bytes) {
    if (bytes.empty()) return {Io::moved, 0, 0};
    return answer(retry_interrupted(
        [&] { return ::send(socket.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }));
}

void end_sending(const Socket& socket) {
    // Fails only if the peer is gone already, and then there is nobody to tell.
    (void)shutdown(socket.fd(), SHUT_WR);
}

}  // namespace tarn::sys
