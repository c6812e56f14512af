// server_stream.h: the bytes to and from a compute, over its Unix socket.
//
// As ClientStream, without TLS. Threads: one.
#pragma once

#include <string>
#include <string_view>

#include "sys/poller.h"
#include "sys/sockets.h"

namespace tarn::proxy {

class ServerStream {
  public:
    ServerStream() = default;
    explicit ServerStream(sys::Socket socket) : socket_(std::move(socket)) {}

    bool is_open() const { return socket_.is_open(); }
    const sys::Socket& socket() const { return socket_; }
    void on_ready(const sys::Ready& ready);

    sys::Io read(char* buffer, size_t bytes);
    // Sends at once what the socket takes, and keeps the rest.
    void write(std::string_view bytes);
    void flush();
    bool has_unsent() const { return sent_ < unsent_.size(); }
    bool needs_room() const { return has_unsent() && !writable_ && !failed_; }

  private:
    size_t send(std::string_view bytes);

    sys::Socket socket_;
    bool readable_ = true;
    bool writable_ = true;
    bool hung_up_ = false;
    bool failed_ = false;
    std::string unsent_;
    size_t sent_ = 0;  // of unsent_
};

}  // namespace tarn::proxy
