#include "proxy/listeners.h"

namespace tarn::proxy {

Result<uint16_t> Listeners::add(const std::string& host, uint16_t port, bool network) {
    std::lock_guard lock(mutex_);
    if (auto known = listeners_.find(host); known != listeners_.end())
        return TRY(sys::SocketAddress::local_of(known->second.socket)).port();
    sys::SocketAddress address = TRY(sys::SocketAddress::parse(host, port));
    sys::Socket socket = TRY(sys::listen_tcp(address));
    uint16_t bound = TRY(sys::SocketAddress::local_of(socket)).port();
    uint64_t id = ++last_id_;
    if (!paused_) TRY(poller_.watch_readable(socket, listener_tag(id)));
    listeners_.emplace(host, Listener{id, std::move(socket), network});
    host_of_id_.emplace(id, host);
    return bound;
}

void Listeners::remove(const std::string& host) {
    std::lock_guard lock(mutex_);
    auto found = listeners_.find(host);
    if (found == listeners_.end()) return;
    host_of_id_.erase(found->second.id);
    listeners_.erase(found);  // closing ends the watch
}

void Listeners::clear() {
    std::lock_guard lock(mutex_);
    listeners_.clear();
    host_of_id_.clear();
}

Result<std::optional<Connection::Origin>> Listeners::accept(uint64_t id) {
    std::lock_guard lock(mutex_);
    using None = std::optional<Connection::Origin>;
    auto host = host_of_id_.find(id);
    if (host == host_of_id_.end()) return None();
    const Listener& listener = listeners_.at(host->second);
    std::optional<sys::Socket> client = TRY(sys::accept_client(listener.socket));
    if (!client) return None();
    std::string address = TRY(sys::SocketAddress::local_of(*client)).host();
    return None(Connection::Origin{std::move(*client), std::move(address), listener.network});
}

void Listeners::pause() {
    std::lock_guard lock(mutex_);
    if (std::exchange(paused_, true)) return;
    for (const auto& [host, listener] : listeners_) poller_.forget(listener.socket);
}

Result<void> Listeners::resume() {
    std::lock_guard lock(mutex_);
    if (!std::exchange(paused_, false)) return {};
    for (const auto& [host, listener] : listeners_)
        TRY(poller_.watch_readable(listener.socket, listener_tag(listener.id)));
    return {};
}

}  // namespace tarn::proxy
