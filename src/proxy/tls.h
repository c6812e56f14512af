// tls.h: the server side of TLS: one context for all, a certificate for each address.
//
// TLS 1.2 or newer, ALPN "postgresql", no renegotiation, no session tickets (a database connection
// lives long; PostgreSQL has none either). With a certificate of one's own, that one serves all.
//
// Threads: server_end() by the event loop's only; the rest before it runs.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "proxy/certificates.h"

namespace tarn::proxy {

struct TlsOptions {
    std::string directory;         // of the local CA
    std::string domain;            // of network mode; "" if there is none
    std::string certificate_file;  // one's own, a PEM chain; "" to use the local CA
    std::string key_file;
};

class Tls {
  public:
    // The callbacks inside keep its address, so it lives on the heap.
    static Result<std::unique_ptr<Tls>> create(const TlsOptions& options);

    // The state of one server end, for a client that dialled `address`, which must outlive it; null
    // when out of memory.
    SslPtr server_end(const std::string& address);
    // What clients may trust: the local CA's certificate, or one's own.
    const std::string& ca_file() const { return ca_file_; }

  private:
    explicit Tls(TlsOptions options) : options_(std::move(options)) {}
    Result<void> use_own_certificate();
    Result<void> use_local_authority();
    X509* certificate_for(const std::string& address);
    static int choose_certificate(SSL* ssl, void* tls);

    TlsOptions options_;
    SslContextPtr context_;
    std::string ca_file_;
    std::unique_ptr<CertificateAuthority> authority_;
    KeyPtr key_;
    std::map<std::string, Certificate> certificates_;  // by address dialled
};

}  // namespace tarn::proxy
