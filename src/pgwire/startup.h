// startup.h: the packets that may open a connection, which have no type byte.
//
// A client says SSLRequest or GSSENCRequest (and waits for one byte), CancelRequest (and waits for
// the end), or the startup message with its parameters. They come before anybody is known, so their
// size is bounded as PostgreSQL bounds it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tarn::pgwire {

inline constexpr size_t kStartupPacketBytesMax = 10'000;
inline constexpr size_t kCancelSecretBytesMax = 256;
// The newest minor version of protocol 3 that is spoken; 3.2 differs from 3.0 by longer cancel
// keys.
inline constexpr uint16_t kMinorNewest = 2;

using Parameters = std::vector<std::pair<std::string, std::string>>;

struct CancelKey {
    uint32_t pid = 0;
    std::string secret;

    bool operator==(const CancelKey&) const = default;
};

struct SslRequest {};
struct GssEncRequest {};
struct StartupMessage {
    uint16_t minor = 0;
    Parameters parameters;                // as sent, without extensions
    std::vector<std::string> extensions;  // names of `_pq_.` parameters: none is known

    // The last value of `name`, as PostgreSQL takes it; "" if there is none.
    std::string_view parameter(std::string_view name) const;
};
using FirstPacket = std::variant<SslRequest, GssEncRequest, CancelKey, StartupMessage>;

// The length of the packet that begins with `head`; none yet if `head` is shorter than four bytes.
Result<std::optional<size_t>> first_packet_bytes(std::string_view head);
Result<FirstPacket> parse_first_packet(std::string_view packet);

// The words of an `options` parameter that are meant for the proxy, and what is left for the
// server.
struct Options {
    std::string endpoint;  // of `endpoint=<id>`; "" if there is none
    std::string rest;      // the other words, byte for byte
};
Options split_options(std::string_view options);

// True if `value` of the parameter `replication` asks for a walsender.
bool asks_for_replication(std::string_view value);

std::string ssl_request();
std::string cancel_request(const CancelKey& key);
std::string startup_packet(const Parameters& parameters, uint16_t minor = 0);
std::string negotiate_protocol_version(uint16_t minor, const std::vector<std::string>& extensions);

}  // namespace tarn::pgwire
