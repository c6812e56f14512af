#include "proxy/cancel_keys.h"

#include <openssl/rand.h>

#include "base/result.h"

namespace tarn::proxy {
namespace {

std::string index_of(const pgwire::CancelKey& key) {
    std::string index(reinterpret_cast<const char*>(&key.pid), sizeof key.pid);
    return index + key.secret;
}

}  // namespace

pgwire::CancelKey CancelKeys::issue(CancelTarget target, size_t secret_bytes) {
    pgwire::CancelKey key{target.server_key.pid, std::string(secret_bytes, '\0')};
    do {
        // OpenSSL's generator fails only where the machine has no randomness at all.
        CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(key.secret.data()),
                         static_cast<int>(secret_bytes)) == 1);
    } while (targets_.contains(index_of(key)));
    targets_.emplace(index_of(key), std::move(target));
    return key;
}

void CancelKeys::revoke(const pgwire::CancelKey& key) {
    targets_.erase(index_of(key));
}

std::optional<CancelTarget> CancelKeys::find(const pgwire::CancelKey& key) const {
    auto found = targets_.find(index_of(key));
    if (found == targets_.end()) return std::nullopt;
    return found->second;
}

}  // namespace tarn::proxy
