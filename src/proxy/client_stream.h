// client_stream.h: the bytes to and from one client, plain at first, then inside of TLS.
//
// Writing never blocks and always takes everything; what the socket does not take is kept
// (encrypted) until flush(). Whoever relays writes only while nothing is kept, so that what is kept
// stays below one read of the relay. All records of one write leave in one call.
//
// Readiness is edge-triggered: `on_ready` opens the gates, a call that finds the socket exhausted
// shuts them, and until then no system call is spent on asking.
//
// Threads: one.
#pragma once

#include <string>
#include <string_view>

#include "proxy/openssl_ptr.h"
#include "proxy/tls.h"
#include "sys/poller.h"
#include "sys/sockets.h"

namespace tarn::proxy {

class ClientStream {
  public:
    explicit ClientStream(sys::Socket socket) : socket_(std::move(socket)) {}
    ClientStream(const ClientStream&) = delete;
    ClientStream& operator=(const ClientStream&) = delete;

    const sys::Socket& socket() const { return socket_; }
    void on_ready(const sys::Ready& ready);

    // True if the first byte has come and is that of a TLS record.
    bool begins_with_tls();
    // From here on everything read is TLS. `address` must outlive the stream.
    Result<void> start_tls(Tls& tls, const std::string& address);
    enum class Handshake { done, waiting, failed };
    Handshake shake_hands();
    std::string server_name() const;  // SNI
    bool has_alpn() const;
    bool in_tls() const { return ssl_ != nullptr; }

    // As sys::receive; `failed` without errno: TLS itself failed.
    sys::Io read(char* buffer, size_t bytes);
    void write(std::string_view bytes);
    // Sends what is kept. False if the connection is gone.
    bool flush();
    bool has_unsent() const { return sent_ < unsent_.size(); }
    // Whether only room in the socket is missing for what is kept to leave.
    bool needs_room() const { return has_unsent() && !writable_ && !failed_; }
    // The client closed its side, even if bytes are still to be read.
    bool is_hung_up() const { return hung_up_ || ended_ || failed_; }

    // Says goodbye inside of TLS and closes the sending side, after what is kept.
    void end();
    // Reads and forgets; true once the client has closed its side too.
    bool drain(char* buffer, size_t bytes);

  private:
    static BIO_METHOD* bio_method();
    static int bio_read(BIO* bio, char* buffer, int bytes);
    static int bio_write(BIO* bio, const char* buffer, int bytes);
    static long bio_control(BIO* bio, int command, long, void*);
    sys::Io receive(char* buffer, size_t bytes);

    sys::Socket socket_;
    SslPtr ssl_;
    bool readable_ = true;
    bool writable_ = true;
    bool hung_up_ = false;  // epoll has seen the end, which reading has yet to reach
    bool ended_ = false;    // the client sends nothing more
    bool failed_ = false;   // nor takes anything
    std::string unsent_;
    size_t sent_ = 0;  // of unsent_
};

}  // namespace tarn::proxy
