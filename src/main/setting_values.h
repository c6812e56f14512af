// setting_values.h: the forms that the values of settings have, checked before anything is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn {

struct HttpAddress {
    std::string host;  // without the brackets of an IPv6 address
    uint16_t port = 0;
};
// "127.0.0.1:8080", "localhost:8080", "[::1]:8080". invalid_argument, with an example.
Result<HttpAddress> parse_http_address(std::string_view text);

// PostgreSQL's form of a size: "128MB", "1 GB", "16384" (blocks of 8 kB). Answers bytes.
Result<uint64_t> parse_shared_buffers(std::string_view text);

// "auto" (nothing), "0", or a size such as "512MB" or "20GB" as PostgreSQL writes them.
Result<std::optional<uint64_t>> parse_disk_limit(std::string_view text);

// The hint of what cannot be listened on ends with the settings that choose another address or
// port; other errors stay as they are.
Error naming_settings(Error failure, std::string_view settings);

}  // namespace tarn
