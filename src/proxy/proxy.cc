#include "proxy/proxy.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "base/log.h"
#include "pgwire/error_response.h"
#include "proxy/loop.h"
#include "sys/clock.h"

namespace tarn::proxy {
namespace {

// Enough for all records of four TLS reads, and below what malloc takes from the kernel each time.
constexpr size_t kBufferBytes = size_t{64} * 1024;
// A session has two sockets; the rest of the process needs descriptors as well.
constexpr uint64_t kDescriptorsPerConnection = 2;
constexpr uint64_t kDescriptorsForOthers = 512;

Error as_shutdown(const Error& reason) {
    return pgwire::has_sqlstate(reason) ? reason : pgwire::with_sqlstate(reason, "57P01");
}

size_t affordable_connections(const Options& options, uint64_t descriptors) {
    uint64_t left = descriptors > 2 * kDescriptorsForOthers ? descriptors - kDescriptorsForOthers
                                                            : descriptors / 2;
    size_t affordable = static_cast<size_t>(left / kDescriptorsPerConnection);
    if (affordable >= options.connections_max) return options.connections_max;
    log::warn(
        "proxy: {} open files allow {} connections, not {}: raise the hard limit (ulimit -Hn, "
        "LimitNOFILE=)",
        descriptors, affordable, options.connections_max);
    return affordable;
}

}  // namespace

struct Proxy::Parts {
    Parts(const Options& given, std::unique_ptr<Tls> made_tls, Backplane& backplane,
          sys::Poller poller, sys::Waker waker, size_t connections_max)
        : options(given),
          tls(std::move(made_tls)),
          workers(options.workers),
          buffer(kBufferBytes),
          shared{options,
                 *tls,
                 backplane,
                 activity,
                 counters,
                 workers,
                 std::make_shared<Mailbox>(std::move(waker)),
                 std::move(poller),
                 {},
                 sys::real_clock().elapsed(),
                 buffer},
          listeners(shared.poller),
          loop(shared, listeners, connections_max) {}

    const Options options;
    std::unique_ptr<Tls> tls;
    Activity activity;
    Counters counters;
    Workers workers;
    std::vector<char> buffer;
    Shared shared;
    Listeners listeners;
    Loop loop;
    uint16_t network_port = 0;
    std::thread thread;
};

Result<std::unique_ptr<Proxy>> Proxy::start(const Options& options, Backplane& backplane) {
    uint64_t descriptors = TRY_CTX(sys::raise_descriptor_limit(), "start the proxy");
    size_t connections_max = affordable_connections(options, descriptors);
    auto tls = TRY_CTX(Tls::create(options.tls), "start the proxy");
    auto poller = TRY_CTX(sys::Poller::create(), "start the proxy");
    auto waker = TRY_CTX(sys::Waker::create(), "start the proxy");
    auto parts = std::make_unique<Parts>(options, std::move(tls), backplane, std::move(poller),
                                         std::move(waker), connections_max);
    Parts& made = *parts;
    TRY_CTX(made.shared.poller.watch_readable(made.shared.mailbox->socket(), kMailboxTag),
            "start the proxy");
    if (!options.network_address.empty())
        made.network_port =
            TRY_CTX(made.listeners.add(options.network_address, options.network_port, true),
                    "start the proxy");
    made.thread = std::thread([&made] { made.loop.run(); });
    log::info("proxy: started connections_max={} descriptors={} ca={}", connections_max,
              descriptors, made.tls->ca_file());
    return std::unique_ptr<Proxy>(new Proxy(std::move(parts)));
}

Proxy::Proxy(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Proxy::~Proxy() {
    stop();
}

void Proxy::stop() {
    if (!parts_->thread.joinable()) return;
    parts_->loop.stop();
    parts_->thread.join();
    parts_->workers.stop();
    parts_->listeners.clear();
}

Result<uint16_t> Proxy::add_listener(const std::string& address) {
    return parts_->listeners.add(address, parts_->options.port, false);
}

void Proxy::remove_listener(const std::string& address) {
    parts_->listeners.remove(address);
}

uint16_t Proxy::network_port() const {
    return parts_->network_port;
}

void Proxy::end_sessions(const std::string& endpoint, const Error& reason) {
    parts_->loop.shut_down({Loop::Whom::sessions, endpoint, as_shutdown(reason)});
}

void Proxy::disconnect(const std::string& endpoint, const Error& reason) {
    parts_->loop.shut_down({Loop::Whom::connections, endpoint, as_shutdown(reason)});
}

std::optional<EndpointActivity> Proxy::activity(const std::string& endpoint) const {
    return parts_->activity.of(endpoint);
}

void Proxy::forget(const std::string& endpoint) {
    parts_->activity.forget(endpoint);
}

const std::string& Proxy::ca_file() const {
    return parts_->tls->ca_file();
}

const Counters& Proxy::counters() const {
    return parts_->counters;
}

}  // namespace tarn::proxy
