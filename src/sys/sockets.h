// sockets.h: the only door to sockets. Thin, non-blocking, close-on-exec, never SIGPIPE.
//
// (Not "socket.h": with src/ on the include path that would hide the system's header.)
//
// Every socket here is non-blocking. An Io answers what one call did; only what cannot be part of a
// connection's ordinary life is an Error.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/descriptor.h"

namespace tarn::sys {

// One that epoll can watch.
using Socket = Descriptor;

// An IPv4 or IPv6 address with a port.
class SocketAddress {
  public:
    static Result<SocketAddress> parse(const std::string& host, uint16_t port);
    static Result<SocketAddress> local_of(const Socket& socket);

    // "127.64.0.5"; an IPv4 address inside of IPv6 is written as IPv4.
    std::string host() const;
    uint16_t port() const;
    std::string text() const;

    const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t raw_bytes() const { return bytes_; }

  private:
    sockaddr_storage storage_ = {};
    socklen_t bytes_ = 0;
};

// What one call on a stream did.
struct Io {
    enum Kind {
        moved,        // `bytes` were read or written; fewer than asked for means: no more for now
        would_block,  // nothing, wait for readiness
        ended,        // the peer will send nothing more
        failed        // the connection is gone, `os_errno` says why
    };
    Kind kind = would_block;
    size_t bytes = 0;
    int os_errno = 0;
};

// The error of a listener on `host` that did not come about by errno `number`: names who holds the
// port, where that can be seen, and the way out.
Error listening_failed(int number, std::string_view doing, const std::string& host, uint16_t port);

// Binds with SO_REUSEADDR and listens.
Result<Socket> listen_tcp(const SocketAddress& address);
// The next waiting client, with TCP_NODELAY; none if nobody waits.
Result<std::optional<Socket>> accept_client(const Socket& listener);
Result<Socket> connect_unix(const std::string& path);

Io receive(const Socket& socket, char* buffer, size_t bytes);
// One byte, which stays in the stream.
Io peek_byte(const Socket& socket, char& byte);
Io send(const Socket& socket, std::string_view bytes);
// Tells the peer that nothing more will come; what it sends can still be read.
void end_sending(const Socket& socket);

}  // namespace tarn::sys
