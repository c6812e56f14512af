#include "pgwire/startup.h"

#include <algorithm>

#include "pgwire/message.h"

namespace tarn::pgwire {
namespace {

constexpr uint32_t kCancelCode = 80877102;
constexpr uint32_t kSslCode = 80877103;
constexpr uint32_t kGssEncCode = 80877104;
constexpr uint32_t kMajor = 3;

uint32_t version(uint16_t minor) {
    return kMajor << 16 | minor;
}

Result<FirstPacket> parse_cancel(std::string_view body) {
    FieldReader reader(body);
    CancelKey key;
    key.pid = reader.be32();
    key.secret = reader.rest();
    if (!reader.ok() || key.secret.empty() || key.secret.size() > kCancelSecretBytesMax)
        return error(Code::malformed, "read cancel request: {} bytes are no key", body.size());
    return FirstPacket(std::move(key));
}

Result<FirstPacket> parse_startup(uint16_t minor, std::string_view body) {
    StartupMessage startup;
    startup.minor = minor;
    FieldReader reader(body);
    while (true) {
        std::string_view name = reader.text();
        if (name.empty()) break;
        std::string_view value = reader.text();
        if (name.starts_with("_pq_."))
            startup.extensions.emplace_back(name);
        else
            startup.parameters.emplace_back(name, value);
    }
    if (!reader.ok() || !reader.rest().empty())
        return error(Code::malformed,
                     "read startup packet: the list of parameters does not end at the last byte");
    return FirstPacket(std::move(startup));
}

}  // namespace

std::string_view StartupMessage::parameter(std::string_view name) const {
    auto found = std::find_if(parameters.rbegin(), parameters.rend(),
                              [&](const auto& parameter) { return parameter.first == name; });
    return found == parameters.rend() ? std::string_view() : std::string_view(found->second);
}

Result<std::optional<size_t>> first_packet_bytes(std::string_view head) {
    if (head.size() < 4) return std::optional<size_t>();
    size_t length = load_be32(head.data());
    if (length < 8 || length > kStartupPacketBytesMax)
        return error(Code::malformed, "read startup packet: a length of {} is not between 8 and {}",
                     length, kStartupPacketBytesMax)
            .with_hint("check that the client speaks the PostgreSQL protocol to this port");
    return std::optional<size_t>(length);
}

Result<FirstPacket> parse_first_packet(std::string_view packet) {
    std::optional<size_t> length = TRY(first_packet_bytes(packet));
    if (length != packet.size())
        return error(Code::malformed, "read startup packet: {} bytes came", packet.size());
    FieldReader reader(packet.substr(4));
    uint32_t code = reader.be32();
    if (code == kSslCode && reader.rest().empty()) return FirstPacket(SslRequest{});
    if (code == kGssEncCode && reader.rest().empty()) return FirstPacket(GssEncRequest{});
    if (code == kCancelCode) return parse_cancel(reader.rest());
    if (code >> 16 == kMajor) return parse_startup(static_cast<uint16_t>(code), reader.rest());
    return error(Code::unimplemented,
                 "unsupported frontend protocol {}.{}: server supports 3.0 to 3.{}", code >> 16,
                 code & 0xffff, kMinorNewest);
}

Options split_options(std::string_view options) {
    constexpr std::string_view kEndpoint = "endpoint=";
    auto is_space = [](char c) {
        return std::string_view(" \t\n\v\f\r").find(c) != std::string_view::npos;
    };
    Options split;
    size_t at = 0;
    while (at < options.size()) {
        if (is_space(options[at])) {
            ++at;
            continue;
        }
        size_t begin = at;
        // A backslash keeps the next byte, a space too, inside the word.
        while (at < options.size() && !is_space(options[at])) at += options[at] == '\\' ? 2u : 1u;
        at = std::min(at, options.size());
        std::string_view word = options.substr(begin, at - begin);
        if (word.starts_with(kEndpoint)) {
            split.endpoint = word.substr(kEndpoint.size());
        } else {
            if (!split.rest.empty()) split.rest.push_back(' ');
            split.rest.append(word);
        }
    }
    return split;
}

bool asks_for_replication(std::string_view value) {
    // "database" and every spelling of true ask for it; PostgreSQL refuses other words itself.
    for (std::string_view no : {"", "0", "f", "false", "n", "no", "off"})
        if (value == no) return false;
    return true;
}

std::string ssl_request() {
    return MessageWriter().begin(0).be32(kSslCode).end().take();
}

std::string cancel_request(const CancelKey& key) {
    return MessageWriter().begin(0).be32(kCancelCode).be32(key.pid).bytes(key.secret).end().take();
}

std::string startup_packet(const Parameters& parameters, uint16_t minor) {
    MessageWriter writer;
    writer.begin(0).be32(version(minor));
    for (const auto& [name, value] : parameters) writer.text(name).text(value);
    return writer.byte('\0').end().take();
}

std::string negotiate_protocol_version(uint16_t minor, const std::vector<std::string>& extensions) {
    MessageWriter writer;
    writer.begin('v').be32(version(minor)).be32(static_cast<uint32_t>(extensions.size()));
    for (const std::string& name : extensions) writer.text(name);
    return writer.end().take();
}

}  // namespace tarn::pgwire
