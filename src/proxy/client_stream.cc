#include "proxy/client_stream.h"

#include <openssl/err.h>

#include <algorithm>

namespace tarn::proxy {
namespace {

constexpr char kTlsHandshakeRecord = 0x16;
constexpr size_t kRecordOverheadBytes = 64;
// What an idle connection may keep of its buffer.
constexpr size_t kIdleBufferBytes = 4096;

}  // namespace

void ClientStream::on_ready(const sys::Ready& ready) {
    readable_ = readable_ || ready.readable;
    writable_ = writable_ || ready.writable;
    hung_up_ = hung_up_ || ready.hung_up;
    failed_ = failed_ || ready.failed;
}

bool ClientStream::begins_with_tls() {
    char byte = 0;
    return sys::peek_byte(socket_, byte).kind == sys::Io::moved && byte == kTlsHandshakeRecord;
}

Result<void> ClientStream::start_tls(Tls& tls, const std::string& address) {
    SslPtr ssl = tls.server_end(address);
    BIO* bio = ssl ? BIO_new(bio_method()) : nullptr;
    if (!bio) return openssl_error("begin TLS");
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl.get(), bio, bio);
    ssl_ = std::move(ssl);
    return {};
}

ClientStream::Handshake ClientStream::shake_hands() {
    ERR_clear_error();
    int done = SSL_do_handshake(ssl_.get());
    int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
    // Sent even after a failure: it is the alert that tells the client why.
    bool alive = flush();
    if (done == 1) return alive ? Handshake::done : Handshake::failed;
    return alive && why == SSL_ERROR_WANT_READ ? Handshake::waiting : Handshake::failed;
}

std::string ClientStream::server_name() const {
    const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name ? name : "";
}

bool ClientStream::has_alpn() const {
    const unsigned char* name = nullptr;
    unsigned bytes = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &bytes);
    return bytes > 0;
}

sys::Io ClientStream::read(char* buffer, size_t bytes) {
    if (!ssl_) return receive(buffer, bytes);
    size_t count = 0;
    ERR_clear_error();
    while (count < bytes) {
        // One call gives one record: several are gathered.
        size_t piece = 0;
        int ok = SSL_read_ex(ssl_.get(), buffer + count, bytes - count, &piece);
        count += piece;
        if (ok == 1) continue;
        if (count > 0) break;  // the next call tells again what stopped this one
        switch (SSL_get_error(ssl_.get(), ok)) {
            case SSL_ERROR_WANT_READ:
                return {sys::Io::would_block, 0, 0};
            case SSL_ERROR_ZERO_RETURN:
                return {sys::Io::ended, 0, 0};
            default:
                return {sys::Io::failed, 0, 0};
        }
    }
    return {sys::Io::moved, count, 0};
}

void ClientStream::write(std::string_view bytes) {
    if (!ssl_) {
        unsent_.append(bytes);
        return;
    }
    ERR_clear_error();
    unsent_.reserve(unsent_.size() + bytes.size() +
                    kRecordOverheadBytes * (bytes.size() / 16384 + 1));
    while (!bytes.empty()) {
        size_t count = 0;
        // Below is memory: this takes everything or TLS has failed.
        if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count) != 1) {
            failed_ = true;
            return;
        }
        bytes.remove_prefix(count);
    }
}

bool ClientStream::flush() {
    while (has_unsent() && writable_ && !failed_) {
        std::string_view rest = std::string_view(unsent_).substr(sent_);
        sys::Io io = sys::send(socket_, rest);
        if (io.kind == sys::Io::failed) failed_ = true;
        writable_ = io.kind == sys::Io::moved && io.bytes == rest.size();
        sent_ += io.bytes;
    }
    if (!has_unsent()) {
        sent_ = 0;
        unsent_.clear();
        if (unsent_.capacity() > kIdleBufferBytes) std::string().swap(unsent_);
    }
    return !failed_;
}

void ClientStream::end() {
    if (ssl_ && SSL_is_init_finished(ssl_.get())) {
        ERR_clear_error();
        // 0 means that the client's goodbye has not come; nobody waits for it.
        (void)SSL_shutdown(ssl_.get());
    }
    if (flush() && !has_unsent()) sys::end_sending(socket_);
}

bool ClientStream::drain(char* buffer, size_t bytes) {
    while (true) {
        sys::Io io = receive(buffer, bytes);
        if (io.kind == sys::Io::would_block) return false;
        if (io.kind != sys::Io::moved) return true;
    }
}

sys::Io ClientStream::receive(char* buffer, size_t bytes) {
    if (ended_) return {sys::Io::ended, 0, 0};
    if (!readable_) return {sys::Io::would_block, 0, 0};
    sys::Io io = sys::receive(socket_, buffer, bytes);
    // A short read exhausted the socket (epoll(7)): more will be reported as a new edge. But the
    // edge of an end that came with the last bytes is spent already.
    readable_ = io.kind == sys::Io::moved && (io.bytes == bytes || hung_up_);
    ended_ = io.kind == sys::Io::ended || io.kind == sys::Io::failed;
    return io;
}

// A BIO that reads from the socket and collects what is written, so that it leaves in one call.
BIO_METHOD* ClientStream::bio_method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tarn client");
        CHECK(made && BIO_meth_set_read(made, bio_read) && BIO_meth_set_write(made, bio_write) &&
              BIO_meth_set_ctrl(made, bio_control));
        return made;
    }();
    return method;
}

int ClientStream::bio_read(BIO* bio, char* buffer, int bytes) {
    auto* self = static_cast<ClientStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    sys::Io io = self->receive(buffer, static_cast<size_t>(bytes));
    if (io.kind == sys::Io::moved) return static_cast<int>(io.bytes);
    if (io.kind == sys::Io::ended) return 0;
    if (io.kind == sys::Io::would_block) BIO_set_retry_read(bio);
    return -1;
}

int ClientStream::bio_write(BIO* bio, const char* buffer, int bytes) {
    auto* self = static_cast<ClientStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    self->unsent_.append(buffer, static_cast<size_t>(bytes));
    return bytes;
}

long ClientStream::bio_control(BIO* bio, int command, long, void*) {
    auto* self = static_cast<ClientStream*>(BIO_get_data(bio));
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return self->ended_;
    return 0;
}

}  // namespace tarn::proxy
