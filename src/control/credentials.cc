#include "control/credentials.h"

#include <jwt.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "control/lookup.h"
#include "control/uids.h"
#include "meta/signing_keys.h"

namespace tarn::control {

namespace {

using std::chrono::duration_cast;
using std::chrono::floor;
using std::chrono::seconds;

constexpr Span kLeastTtl = seconds{300};
constexpr Span kMostTtl = seconds{3600};
constexpr size_t kMaxTokenBytes = 8192;

template <auto Free>
struct FreeWith {
    template <class T>
    void operator()(T* pointer) const {
        Free(pointer);
    }
};
using Pkey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using Jwt = std::unique_ptr<jwt_t, FreeWith<jwt_free>>;

std::string contents(BIO* bio) {
    char* bytes = nullptr;
    long size = BIO_get_mem_data(bio, &bytes);
    return std::string(bytes, static_cast<size_t>(size));
}

Result<std::string> generate_private_key() {
    Pkey key(EVP_EC_gen("P-256"));
    Bio bio(BIO_new(BIO_s_mem()));
    if (!key || !bio ||
        PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return error(Code::internal, "generate a signing key: OpenSSL failed");
    return contents(bio.get());
}

// Decoding without a key checks nothing: it only finds out which key to check with.
std::string kid_of(const std::string& token) {
    jwt_t* unverified = nullptr;
    if (jwt_decode(&unverified, token.c_str(), nullptr, 0) != 0) return "";
    Jwt owner(unverified);
    const char* kid = jwt_get_header(unverified, "kid");
    return kid ? kid : "";
}

Result<Span> ttl_of(const CredentialRequest& request, Time now) {
    if (request.ttl && request.expire_time)
        return error(Code::invalid_argument, "Only one of 'ttl' and 'expire_time' may be given.");
    Span ttl = request.ttl           ? *request.ttl
               : request.expire_time ? *request.expire_time - now
                                     : kMostTtl;
    // A client computes expire_time with its own clock, a moment before we look at ours.
    Span slack = request.expire_time ? Span{seconds{5}} : Span{0};
    if (ttl < kLeastTtl - slack || ttl > kMostTtl + slack)
        return error(Code::invalid_argument,
                     "Field '{}' must be between 300s and 3600s from now, got '{}'.",
                     request.ttl ? "ttl" : "expire_time", duration_text(ttl));
    return ttl;
}

}  // namespace

Result<void> Credentials::open() {
    auto rows = TRY(
        core_.meta.read([](meta::Session& session) { return meta::list_signing_keys(session); }));
    auto signs = [](const meta::SigningKeyRow& row) { return !row.retire_time; };
    if (std::ranges::none_of(rows, signs)) {
        meta::SigningKeyRow fresh{.kid = draw_hex(core_.environment, 64),
                                  .private_key = TRY(generate_private_key()),
                                  .create_time = core_.now(),
                                  .retire_time = {}};
        TRY(core_.meta.write(
            [&](meta::Session& session) { return meta::insert_signing_key(session, fresh); }));
        rows.insert(rows.begin(), std::move(fresh));
    }
    for (const auto& row : rows) {
        keys_[row.kid] = {row.private_key, TRY(public_key_of(row.private_key))};
        if (signing_kid_.empty() && !row.retire_time) signing_kid_ = row.kid;
    }
    return {};
}

Result<DatabaseCredential> Credentials::generate(const Identity& caller,
                                                 const CredentialRequest& request) {
    ResourceName name = TRY(parse_name("endpoint", request.endpoint, ResourceKind::endpoint));
    Time now = floor<seconds>(core_.now());
    Span ttl = TRY(ttl_of(request, core_.now()));
    auto endpoint = TRY(core_.meta.read([&](meta::Session& session) {
        return live_endpoint(session, name.project, name.branch, name.leaf);
    }));
    Time expires = floor<seconds>(now + ttl);
    return DatabaseCredential{TRY(sign(caller.user_name, endpoint.endpoint.uid, now, expires)),
                              expires};
}

Result<std::string> Credentials::sign(const std::string& user, const std::string& endpoint_uid,
                                      Time issued, Time expires) const {
    auto epoch = [](Time time) {
        return static_cast<long>(duration_cast<seconds>(time.time_since_epoch()).count());
    };
    const std::string& pem = keys_.at(signing_kid_).private_pem;
    jwt_t* raw = nullptr;
    if (jwt_new(&raw) != 0) return error(Code::internal, "make a token: out of memory");
    Jwt token(raw);
    bool made = jwt_add_header(raw, "kid", signing_kid_.c_str()) == 0 &&
                jwt_add_grant(raw, "sub", user.c_str()) == 0 &&
                jwt_add_grant(raw, "endpoint", endpoint_uid.c_str()) == 0 &&
                jwt_add_grant_int(raw, "iat", epoch(issued)) == 0 &&
                jwt_add_grant_int(raw, "exp", epoch(expires)) == 0 &&
                jwt_set_alg(raw, JWT_ALG_ES256, reinterpret_cast<const unsigned char*>(pem.data()),
                            static_cast<int>(pem.size())) == 0;
    std::unique_ptr<char, FreeWith<std::free>> text(made ? jwt_encode_str(raw) : nullptr);
    if (!text) return error(Code::internal, "sign a token: libjwt failed");
    return std::string(text.get());
}

TokenVerdict Credentials::verify(const std::string& token, std::string_view endpoint_uid,
                                 std::string_view postgres_user) const {
    if (token.size() > kMaxTokenBytes || token.find('\0') != token.npos)
        return TokenVerdict::invalid;
    auto key = keys_.find(kid_of(token));
    if (key == keys_.end()) return TokenVerdict::invalid;
    const std::string& pem = key->second.public_pem;
    jwt_t* raw = nullptr;
    if (jwt_decode(&raw, token.c_str(), reinterpret_cast<const unsigned char*>(pem.data()),
                   static_cast<int>(pem.size())) != 0)
        return TokenVerdict::invalid;
    Jwt decoded(raw);
    // Without this check a token could be "signed" by HMAC with our public key.
    if (jwt_get_alg(raw) != JWT_ALG_ES256) return TokenVerdict::invalid;
    const char* subject = jwt_get_grant(raw, "sub");
    const char* endpoint = jwt_get_grant(raw, "endpoint");
    if (!subject || !endpoint) return TokenVerdict::invalid;
    Time expires{seconds{jwt_get_grant_int(raw, "exp")}};
    if (expires <= core_.now()) return TokenVerdict::expired;
    if (endpoint != endpoint_uid) return TokenVerdict::wrong_endpoint;
    if (subject != postgres_user) return TokenVerdict::wrong_user;
    return TokenVerdict::good;
}

Result<std::string> public_key_of(const std::string& private_pem) {
    Bio in(BIO_new_mem_buf(private_pem.data(), static_cast<int>(private_pem.size())));
    Pkey key(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr) : nullptr);
    Bio out(BIO_new(BIO_s_mem()));
    if (!key || !out || PEM_write_bio_PUBKEY(out.get(), key.get()) != 1)
        return error(Code::data_loss, "read a signing key from the metadata: it is damaged");
    return contents(out.get());
}

}  // namespace tarn::control
