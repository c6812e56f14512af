#include "proxy/relay.h"

namespace tarn::proxy {
namespace {

// After so many buffers each way other connections have their turn.
constexpr int kRoundsPerTurn = 8;
constexpr std::string_view kTerminate("X\0\0\0\4", 5);

}  // namespace

Relay::Outcome Relay::pump(std::span<char> buffer) {
    for (int round = 0; round < kRoundsPerTurn; ++round) {
        Step up = to_server(buffer);
        if (up == Step::over) return Outcome::client_gone;
        Step down = to_client(buffer);
        if (down == Step::over) return Outcome::server_gone;
        if (up == Step::none && down == Step::none) return Outcome::waiting;
    }
    return Outcome::more;
}

Relay::Step Relay::to_server(std::span<char> buffer) {
    server_.flush();
    if (server_.has_unsent()) return Step::none;
    sys::Io io = client_.read(buffer.data(), buffer.size());
    if (io.kind == sys::Io::would_block) return Step::none;
    if (io.kind != sys::Io::moved) return Step::over;
    moved_ = true;
    bytes_from_client_ += io.bytes;
    std::string_view bytes(buffer.data(), io.bytes);
    client_said_goodbye_ = bytes.ends_with(kTerminate);
    server_.write(bytes);
    return Step::moved;
}

Relay::Step Relay::to_client(std::span<char> buffer) {
    if (!client_.flush()) return Step::over;
    if (client_.has_unsent()) return Step::none;
    sys::Io io = server_.read(buffer.data(), buffer.size());
    if (io.kind == sys::Io::would_block) return Step::none;
    if (io.kind != sys::Io::moved) return Step::over;
    moved_ = true;
    bytes_from_server_ += io.bytes;
    give_client({buffer.data(), io.bytes});
    return Step::moved;
}

void Relay::give_client(std::string_view bytes) {
    tracker_.feed(bytes);
    client_.write(bytes);
    client_.flush();
}

}  // namespace tarn::proxy
