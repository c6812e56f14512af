#include "main/front_door.h"

#include "main/setting_values.h"
#include "proxy/login_errors.h"
#include "sys/clock.h"

namespace tarn {

Result<void> FrontDoor::start(const proxy::Options& options, const std::string& probe) {
    auto proxy = proxy::Proxy::start(options, *this);
    if (!proxy.ok())
        return naming_settings(std::move(proxy).error(), "--network-address, --pg-port");
    proxy_ = std::move(proxy).value();
    TRY_CTX(open(probe), "listen for endpoints on {}", probe);
    proxy_->remove_listener(probe);
    return {};
}

void FrontDoor::stop() {
    if (proxy_) proxy_->stop();
}

Result<std::string> FrontDoor::endpoint_at(const std::string& address) {
    auto row = TRY(
        meta_.read([&](meta::Session& session) { return meta::endpoint_at(session, address); }));
    if (!row) return proxy::unknown_endpoint(address);
    return row->uid;
}

Result<std::string> FrontDoor::endpoint_named(const std::string& name) {
    auto view = control_.endpoints.get_by_uid(name);
    if (!view.ok()) return proxy::unknown_endpoint(name);
    return view->row.uid;
}

Result<void> FrontDoor::authenticate(const std::string& endpoint, const proxy::Login& login) {
    using control::TokenVerdict;
    switch (control_.credentials.verify(login.password, endpoint, login.user)) {
        case TokenVerdict::good:
            return {};
        case TokenVerdict::expired:
            return proxy::expired_token(login.user);
        case TokenVerdict::wrong_user:
            return proxy::wrong_user(login.user);
        case TokenVerdict::wrong_endpoint:
            return proxy::wrong_endpoint(login.user);
        case TokenVerdict::invalid:
            break;
    }
    return proxy::bad_password(login.user);
}

void FrontDoor::wake(const std::string& endpoint, Awake done) {
    compute::ComputeStatus status = computes_.status(endpoint);
    if (status.state == compute::ComputeState::running) return done(status.socket_directory);
    control_.wakers.wake(endpoint,
                         [done = std::move(done)](const Result<compute::ComputeStatus>& woken) {
                             if (woken.ok())
                                 done(woken->socket_directory);
                             else
                                 done(woken.error());  // the proxy logs it and tells the client
                         });
}

Result<void> FrontDoor::open(const std::string& address) {
    auto listening = proxy_->add_listener(address);
    if (listening.ok()) return {};
    return naming_settings(std::move(listening).error(), "--address-block, --pg-port");
}

void FrontDoor::close(const std::string& endpoint_uid, const std::string& address) {
    proxy_->remove_listener(address);
    proxy_->disconnect(endpoint_uid, error(Code::not_found, "the endpoint was deleted"));
    proxy_->forget(endpoint_uid);
}

void FrontDoor::disconnect(const std::string& endpoint_uid, const Error& why) {
    proxy_->end_sessions(endpoint_uid, why);
}

control::Activity FrontDoor::activity(const std::string& endpoint_uid) const {
    auto usage = proxy_->activity(endpoint_uid);
    if (!usage) return {};
    // The proxy counts with a clock that never steps; the control plane keeps wall-clock times.
    Span ago = sys::real_clock().elapsed() - usage->last_active;
    // Until sessions can be rebuilt, every open one keeps its compute awake.
    return {.open_sessions = usage->sessions,
            .blocking_sessions = usage->sessions,
            .last_active = sys::real_clock().now() - ago};
}

}  // namespace tarn
