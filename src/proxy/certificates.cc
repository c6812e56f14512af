#include "proxy/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>

#include "base/log.h"
#include "sys/files.h"
#include "sys/randomness.h"
#include "sys/small_file.h"

namespace tarn::proxy {
namespace {

using std::chrono::days;
using std::chrono::hours;

constexpr days kAuthorityLife{3650};
constexpr days kCertificateLife{90};
// Clocks of client and server may differ.
constexpr hours kBackdate{1};

std::string bio_text(BIO* bio) {
    char* data = nullptr;
    long bytes = BIO_get_mem_data(bio, &data);
    return {data, static_cast<size_t>(bytes)};
}

Result<std::string> key_text(EVP_PKEY* key) {
    BioPtr bio(BIO_new(BIO_s_secmem()));
    if (!bio || !PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr))
        return openssl_error("write a private key");
    return bio_text(bio.get());
}

Result<std::string> certificate_text(X509* certificate) {
    BioPtr bio(BIO_new(BIO_s_mem()));
    if (!bio || !PEM_write_bio_X509(bio.get(), certificate))
        return openssl_error("write a certificate");
    return bio_text(bio.get());
}

Result<KeyPtr> parse_key(const std::string& text, const std::string& path) {
    BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key) return openssl_error(fmt::format("read the private key in {}", path));
    return key;
}

Result<CertificatePtr> parse_certificate(const std::string& text, const std::string& path) {
    BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) return openssl_error(fmt::format("read the certificate in {}", path));
    return certificate;
}

bool set_serial(X509* certificate) {
    unsigned char random[16];
    sys::real_random().fill(random, sizeof random);
    random[0] &= 0x7f;  // a serial number is positive
    BIGNUM* number = BN_bin2bn(random, sizeof random, nullptr);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

bool set_validity(X509* certificate, Time from, Time until) {
    auto seconds = [](Time time) {
        return std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
    };
    return ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(from)) &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(until));
}

bool add_name(X509_NAME* name, const char* field, const std::string& text) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(text.data()),
                                      static_cast<int>(text.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int id, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, id, value));
    return extension && X509_add_ext(certificate, extension.get(), -1);
}

// Names come from addresses and configuration; anything else would be syntax in OpenSSL's text
// form.
bool is_plain_name(const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view(".:-_*").find(c) != std::string_view::npos;
    });
}

Result<CertificatePtr> make_authority(EVP_PKEY* key, Time now) {
    CertificatePtr made(X509_new());
    X509_NAME* name = made ? X509_get_subject_name(made.get()) : nullptr;
    // The random part tells authorities of several servers apart in a client's trust store.
    bool ok =
        name && X509_set_version(made.get(), X509_VERSION_3) && set_serial(made.get()) &&
        set_validity(made.get(), now - kBackdate, now + kAuthorityLife) &&
        add_name(name, "O", "Tarn") &&
        add_name(name, "CN", "Tarn local CA " + sys::real_random().hex(4)) &&
        X509_set_issuer_name(made.get(), name) && X509_set_pubkey(made.get(), key) &&
        add_extension(made.get(), made.get(), NID_basic_constraints,
                      "critical,CA:TRUE,pathlen:0") &&
        add_extension(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(made.get(), made.get(), NID_subject_key_identifier, "hash") &&
        X509_sign(made.get(), key, EVP_sha256());
    if (!ok) return openssl_error("make the local CA");
    return made;
}

}  // namespace

std::string openssl_reason() {
    unsigned long code = ERR_get_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason ? reason : "no reason given";
}

Error openssl_error(std::string_view doing) {
    return error(Code::io_error, "{}: {}", doing, openssl_reason());
}

Result<KeyPtr> make_key() {
    KeyPtr key(EVP_EC_gen("P-256"));
    if (!key) return openssl_error("make an ECDSA key");
    return key;
}

Result<CertificateAuthority> CertificateAuthority::open(const std::string& directory, Time now) {
    TRY(sys::make_directory(sys::real_disk(), directory, 0755));
    std::string key_path = directory + "/ca.key";
    CertificateAuthority authority;
    authority.certificate_path_ = directory + "/ca.crt";
    std::optional<std::string> key = TRY(sys::read_small_file(key_path));
    std::optional<std::string> certificate = TRY(sys::read_small_file(authority.certificate_path_));
    if (certificate && !key)
        return error(Code::data_loss, "{} is there but its key {} is not",
                     authority.certificate_path_, key_path)
            .with_hint(
                "restore the key, or remove the certificate to have a new CA made, which "
                "clients then must be given anew");
    if (key) {
        authority.key_ = TRY(parse_key(*key, key_path));
    } else {
        authority.key_ = TRY(make_key());
        std::string text = TRY(key_text(authority.key_.get()));
        TRY(sys::write_small_file(key_path, text, 0600));
    }
    if (certificate) {
        authority.certificate_ = TRY(parse_certificate(*certificate, authority.certificate_path_));
    } else {
        // The key is written first: a crash in between leaves a key, for which this makes the rest.
        authority.certificate_ = TRY(make_authority(authority.key_.get(), now));
        std::string text = TRY(certificate_text(authority.certificate_.get()));
        TRY(sys::write_small_file(authority.certificate_path_, text, 0644));
        log::info("proxy: made a local CA: {}", authority.certificate_path_);
    }
    if (X509_check_private_key(authority.certificate_.get(), authority.key_.get()) != 1) {
        (void)openssl_reason();
        return error(Code::data_loss, "{} and {} do not belong together",
                     authority.certificate_path_, key_path)
            .with_hint("restore both, or remove both to have a new CA made");
    }
    if (X509_cmp_current_time(X509_get0_notAfter(authority.certificate_.get())) <= 0)
        log::warn(
            "proxy: the local CA {} has expired: remove it and its key to have a new one made",
            authority.certificate_path_);
    return authority;
}

Result<Certificate> CertificateAuthority::issue(EVP_PKEY* key, const std::string& address,
                                                const std::vector<std::string>& dns_names,
                                                Time now) const {
    std::string names;
    auto add = [&](const char* kind, const std::string& name) {
        if (!is_plain_name(name)) return false;
        names += fmt::format("{}{}:{}", names.empty() ? "" : ",", kind, name);
        return true;
    };
    bool plain = address.empty() || add("IP", address);
    for (const std::string& name : dns_names) plain = add("DNS", name) && plain;
    if (!plain)
        return error(Code::invalid_argument, "make a certificate for \"{}\": not a plain name",
                     names);

    Certificate made{CertificatePtr(X509_new()), now + kCertificateLife};
    X509* x509 = made.x509.get();
    X509* issuer = certificate_.get();
    std::string common_name = address.empty() && !dns_names.empty() ? dns_names.front() : address;
    bool ok = x509 && X509_set_version(x509, X509_VERSION_3) && set_serial(x509) &&
              set_validity(x509, now - kBackdate, made.expires) &&
              add_name(X509_get_subject_name(x509), "CN", common_name.substr(0, 64)) &&
              X509_set_issuer_name(x509, X509_get_subject_name(issuer)) &&
              X509_set_pubkey(x509, key) &&
              add_extension(x509, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
              add_extension(x509, issuer, NID_key_usage, "critical,digitalSignature") &&
              add_extension(x509, issuer, NID_ext_key_usage, "serverAuth") &&
              add_extension(x509, issuer, NID_subject_key_identifier, "hash") &&
              add_extension(x509, issuer, NID_authority_key_identifier, "keyid:always") &&
              add_extension(x509, issuer, NID_subject_alt_name, names.c_str()) &&
              X509_sign(x509, key_.get(), EVP_sha256());
    if (!ok) return openssl_error(fmt::format("make a certificate for {}", names));
    return made;
}

}  // namespace tarn::proxy
