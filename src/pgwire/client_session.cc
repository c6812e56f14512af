#include "pgwire/client_session.h"

#include <algorithm>

#include "pgwire/error_response.h"
#include "pgwire/message.h"

namespace tarn::pgwire {
namespace {

// A packet without type begins with its length and its code: no such packet is shorter.
constexpr size_t kPacketHeadBytes = 8;
constexpr uint32_t kAuthenticationCleartextPassword = 3;

Error no_tls() {
    return with_sqlstate(error(Code::unauthenticated, "connection without TLS refused")
                             .with_hint("connect with sslmode=require; to also verify the server, "
                                        "use sslmode=verify-full and the CA file as sslrootcert"),
                         "28000");
}

}  // namespace

size_t ClientSession::feed(std::string_view bytes) {
    size_t count = std::min(wanted_, bytes.size());
    packet_.append(bytes.substr(0, count));
    wanted_ -= count;
    if (count == 0 || wanted_ > 0) return count;
    if (!head_seen_) on_packet_head();
    if (head_seen_ && wanted_ == 0) {
        on_packet();
        packet_.clear();
    }
    return count;
}

void ClientSession::on_packet_head() {
    if (state_ == State::password) {
        uint32_t length = load_be32(packet_.data() + 1);
        if (packet_.front() != 'p')
            return refuse(error(Code::malformed, "expected a password message, got type {:#04x}",
                                static_cast<unsigned char>(packet_.front())));
        if (length < 4 || length - 4 > kPasswordBytesMax)
            return refuse(error(Code::malformed,
                                "a password message of {} bytes is not between 4 and {}", length,
                                kPasswordBytesMax + 4));
        wanted_ = length - 4;
    } else {
        Result<std::optional<size_t>> length = first_packet_bytes(packet_);
        if (!length.ok()) return refuse(length.error());
        wanted_ = length->value_or(kPacketHeadBytes) - kPacketHeadBytes;
    }
    head_seen_ = true;
}

void ClientSession::on_packet() {
    if (state_ == State::password) return on_password();
    Result<FirstPacket> packet = parse_first_packet(packet_);
    if (!packet.ok()) return refuse(packet.error());
    on_first_packet(std::move(packet).value());
}

void ClientSession::on_first_packet(FirstPacket packet) {
    if (auto* key = std::get_if<CancelKey>(&packet)) {
        state_ = State::cancelling;
        return emit(action::Cancel{std::move(*key)});
    }
    if (auto* startup = std::get_if<StartupMessage>(&packet))
        return on_startup(std::move(*startup));
    if (std::holds_alternative<SslRequest>(packet)) {
        if (in_tls())
            return refuse(error(Code::malformed, "a TLS request inside of TLS is not supported"));
        state_ = State::tls;
        send("S");
        return emit(action::StartTls{});
    }
    if (in_tls() || gss_refused_)
        return refuse(
            error(Code::malformed, "a second request for GSS encryption is not supported"));
    gss_refused_ = true;
    send("N");
    want_packet(State::first_packet, kPacketHeadBytes);
}

void ClientSession::on_direct_tls() {
    if (state_ != State::first_packet || !packet_.empty()) return;
    direct_tls_ = true;
    wanted_ = 0;
    state_ = State::tls;
    emit(action::StartTls{});
}

void ClientSession::on_tls(TlsFacts facts) {
    if (state_ != State::tls) return;
    tls_ = true;
    server_name_ = std::move(facts.server_name);
    want_packet(State::startup, kPacketHeadBytes);
    // Without ALPN, TLS bytes meant for another protocol could be taken for ours (as PostgreSQL
    // 17).
    if (direct_tls_ && !facts.alpn)
        refuse(error(Code::malformed, "direct TLS connection without ALPN protocol \"postgresql\"")
                   .with_hint("use sslnegotiation=postgres, or a driver that offers ALPN"));
}

void ClientSession::on_startup(StartupMessage startup) {
    Result<void> valid = check_startup(startup);
    if (!valid.ok()) return refuse(valid.error());

    // Minor 1 was never released; a client of a later one learns that 3.2 is the newest here.
    minor_ = startup.minor >= kMinorNewest ? kMinorNewest : 0;
    if (minor_ != startup.minor || !startup.extensions.empty())
        send(negotiate_protocol_version(minor_, startup.extensions));

    user_ = startup.parameter("user");
    database_ = startup.parameter("database");
    if (database_.empty()) database_ = user_;
    std::string endpoint;
    for (auto& [name, value] : startup.parameters) {
        if (name == "replication") continue;  // it says no
        if (name == "options") {
            Options split = split_options(value);
            if (!split.endpoint.empty()) endpoint = std::move(split.endpoint);
            if (split.rest.empty()) continue;
            value = std::move(split.rest);
        }
        server_parameters_.emplace_back(std::move(name), std::move(value));
    }
    state_ = State::routing;
    emit(action::Route{server_name_, std::move(endpoint)});
}

Result<void> ClientSession::check_startup(const StartupMessage& startup) const {
    if (!in_tls()) return no_tls();
    if (startup.parameter("user").empty())
        return with_sqlstate(
            error(Code::unauthenticated, "no PostgreSQL user name specified in startup packet"),
            "28000");
    if (asks_for_replication(startup.parameter("replication")))
        return error(Code::unimplemented, "replication connections are not supported yet");
    return {};
}

void ClientSession::routed() {
    if (state_ != State::routing) return;
    send(MessageWriter().begin('R').be32(kAuthenticationCleartextPassword).end().take());
    want_packet(State::password, kHeaderBytes);
}

void ClientSession::on_password() {
    FieldReader reader(std::string_view(packet_).substr(kHeaderBytes));
    std::string_view password = reader.text();
    if (!reader.ok() || !reader.rest().empty())
        return refuse(error(Code::malformed, "a password message is not one string"));
    state_ = State::authenticating;
    emit(action::Authenticate{user_, database_, std::string(password)});
}

void ClientSession::accept() {
    if (state_ == State::authenticating) state_ = State::accepted;
}

void ClientSession::refuse(const Error& error) {
    if (state_ == State::closed) return;
    send(error_response(error));
    emit(action::Close{});
    state_ = State::closed;
    wanted_ = 0;
}

void ClientSession::want_packet(State state, size_t head_bytes) {
    state_ = state;
    wanted_ = head_bytes;
    head_seen_ = false;
}

void ClientSession::emit(Action action) {
    actions_.push_back(std::move(action));
}

}  // namespace tarn::pgwire
