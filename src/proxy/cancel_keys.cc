#include "proxy/cancel_keys.h"

#include "sys/randomness.h"

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
        sys::real_random().fill(key.secret.data(), secret_bytes);
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
