#include "proxy/server_stream.h"

namespace tarn::proxy {

void ServerStream::on_ready(const sys::Ready& ready) {
    readable_ = readable_ || ready.readable;
    writable_ = writable_ || ready.writable;
    hung_up_ = hung_up_ || ready.hung_up;
}

sys::Io ServerStream::read(char* buffer, size_t bytes) {
    if (!readable_) return {sys::Io::would_block, 0, 0};
    sys::Io io = sys::receive(socket_, buffer, bytes);
    // As in ClientStream::receive.
    readable_ = io.kind != sys::Io::would_block &&
                (io.kind != sys::Io::moved || io.bytes == bytes || hung_up_);
    return io;
}

void ServerStream::write(std::string_view bytes) {
    if (!has_unsent()) bytes.remove_prefix(send(bytes));
    // A server that is gone may have said why: reading finds out, what is written to it is dropped.
    if (!failed_) unsent_.append(bytes);
}

void ServerStream::flush() {
    if (!has_unsent()) return;
    sent_ += send(std::string_view(unsent_).substr(sent_));
    if (has_unsent() && !failed_) return;
    sent_ = 0;
    std::string().swap(unsent_);
}

size_t ServerStream::send(std::string_view bytes) {
    size_t sent = 0;
    while (sent < bytes.size() && writable_ && !failed_) {
        sys::Io io = sys::send(socket_, bytes.substr(sent));
        failed_ = io.kind == sys::Io::failed;
        writable_ = io.kind == sys::Io::moved && io.bytes == bytes.size() - sent;
        sent += io.bytes;
    }
    return sent;
}

}  // namespace tarn::proxy
