// options.h: what can be set about the proxy, with the values that it ships with.
#pragma once

#include <chrono>
#include <string>

#include "proxy/tls.h"

namespace tarn::proxy {

struct Options {
    // Of every listener; clients expect 5432, for the API has no field for a port.
    uint16_t port = 5432;
    // Network mode: one more listener, for endpoints named by SNI or option. "" turns it off.
    std::string network_address;
    uint16_t network_port = 5432;
    TlsOptions tls;

    size_t connections_max = 8'000;
    size_t endpoint_sessions_max = 4'000;
    unsigned workers = 4;

    // From the accepted connection to the startup message inside of TLS.
    std::chrono::milliseconds handshake_timeout = std::chrono::seconds(15);
    // Long, for some clients fetch their token only now.
    std::chrono::milliseconds password_timeout = std::chrono::minutes(5);
    // From the login to the compute's first ReadyForQuery.
    std::chrono::milliseconds wake_timeout = std::chrono::seconds(120);
    std::chrono::milliseconds idle_timeout = std::chrono::hours(24);
    std::chrono::milliseconds lifetime_max = std::chrono::hours(72);
};

}  // namespace tarn::proxy
