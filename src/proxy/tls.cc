#include "proxy/tls.h"

#include <openssl/err.h>

#include "base/log.h"
#include "sys/clock.h"

namespace tarn::proxy {
namespace {

constexpr std::chrono::days kRenewBefore{30};
// One certificate for each address that is listened on; the bound is for addresses long gone.
constexpr size_t kCertificatesMax = 65'536;
// A TLS record has at most 16 KiB; the server reads several in one call.
constexpr size_t kReadAheadBytes = size_t{64} * 1024;

constexpr unsigned char kAlpn[] = "\x0apostgresql";

int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* in,
                unsigned in_bytes, void*) {
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_bytes, kAlpn, sizeof kAlpn - 1, in, in_bytes) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<std::unique_ptr<Tls>> Tls::create(const TlsOptions& options) {
    std::unique_ptr<Tls> tls(new Tls(options));
    tls->context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* context = tls->context_.get();
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) ||
        // AES-128 first: it is what the relay spends its time on, and no known attack tells them
        // apart.
        !SSL_CTX_set_ciphersuites(context,
                                  "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                  "TLS_CHACHA20_POLY1305_SHA256") ||
        !SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20"))
        return openssl_error("set up TLS");
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, kReadAheadBytes);
    SSL_CTX_set_alpn_select_cb(context, choose_alpn, nullptr);
    if (options.certificate_file.empty())
        TRY_CTX(tls->use_local_authority(), "set up TLS");
    else
        TRY_CTX(tls->use_own_certificate(), "set up TLS");
    return tls;
}

Result<void> Tls::use_own_certificate() {
    const std::string& chain = options_.certificate_file;
    if (SSL_CTX_use_certificate_chain_file(context_.get(), chain.c_str()) != 1)
        return openssl_error(fmt::format("read the certificate in {}", chain))
            .with_hint("a PEM file is expected: your certificate first, then those that signed it");
    if (SSL_CTX_use_PrivateKey_file(context_.get(), options_.key_file.c_str(), SSL_FILETYPE_PEM) !=
        1)
        return openssl_error(fmt::format("read the private key in {}", options_.key_file))
            .with_hint("a PEM file is expected: the key of that certificate, without a password");
    if (SSL_CTX_check_private_key(context_.get()) != 1)
        return openssl_error(fmt::format("check that {} fits {}", options_.key_file, chain))
            .with_hint("name the key that the first certificate of the file was made with");
    ca_file_ = chain;
    return {};
}

Result<void> Tls::use_local_authority() {
    authority_ = std::make_unique<CertificateAuthority>(
        TRY(CertificateAuthority::open(options_.directory, sys::real_clock().now())));
    ca_file_ = authority_->certificate_path();
    key_ = TRY(make_key());
    SSL_CTX_set_cert_cb(context_.get(), choose_certificate, this);
    return {};
}

SslPtr Tls::server_end(const std::string& address) {
    SslPtr ssl(SSL_new(context_.get()));
    if (!ssl || SSL_set_app_data(ssl.get(), const_cast<std::string*>(&address)) != 1)
        return nullptr;
    SSL_set_accept_state(ssl.get());
    return ssl;
}

int Tls::choose_certificate(SSL* ssl, void* tls) {
    auto* self = static_cast<Tls*>(tls);
    X509* certificate = self->certificate_for(*static_cast<std::string*>(SSL_get_app_data(ssl)));
    return certificate && SSL_use_certificate(ssl, certificate) == 1 &&
           SSL_use_PrivateKey(ssl, self->key_.get()) == 1;
}

X509* Tls::certificate_for(const std::string& address) {
    auto known = certificates_.find(address);
    if (known != certificates_.end() &&
        known->second.expires - sys::real_clock().now() > kRenewBefore)
        return known->second.x509.get();
    std::vector<std::string> names{"localhost"};
    if (!options_.domain.empty()) names.push_back("*." + options_.domain);
    Result<Certificate> made =
        authority_->issue(key_.get(), address, names, sys::real_clock().now());
    if (!made.ok()) {
        log::error("proxy: {}", made.error().text());
        return nullptr;
    }
    if (certificates_.size() >= kCertificatesMax) certificates_.clear();
    Certificate& kept = certificates_[address];
    kept = std::move(made).value();
    return kept.x509.get();
}

}  // namespace tarn::proxy
