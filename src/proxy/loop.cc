#include "proxy/loop.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "pgwire/error_response.h"
#include "sys/clock.h"

namespace tarn::proxy {
namespace {

using namespace std::chrono_literals;

constexpr int kAcceptsPerRound = 64;
constexpr auto kAcceptPause = 100ms;
// Above the limit so many are still told why they are refused; beyond that they are dropped.
constexpr size_t kToldWhy = 256;

Elapsed read_clock() {
    return sys::real_clock().elapsed();
}

}  // namespace

void Loop::run() {
    std::array<sys::Ready, 256> ready;
    while (!stopping_.load()) {
        auto reported = shared_.poller.wait(ready, wait_ms());
        shared_.now = read_clock();
        for (const sys::Ready& one : reported) dispatch(one);
        give_turns();
        expire();
    }
    take_requests();
    connections_.clear();
    shared_.counters.connections_open = 0;
}

int Loop::wait_ms() const {
    if (!turns_.empty()) return 0;
    std::optional<Elapsed> next = accept_again_;
    if (!deadlines_.empty() && (!next || deadlines_.begin()->first < *next))
        next = deadlines_.begin()->first;
    if (!next) return -1;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - read_clock()).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
}

void Loop::dispatch(const sys::Ready& ready) {
    uint64_t id = ready.tag / kTagKinds;
    if (ready.tag == kMailboxTag) {
        take_mail();
        return take_requests();
    }
    if (ready.tag == listener_tag(id)) return accept(id);
    auto found = connections_.find(id);
    if (found == connections_.end()) return;  // closed earlier in this round
    Connection& connection = *found->second.connection;
    if (ready.tag == server_tag(id))
        connection.server().on_ready(ready);
    else
        connection.client().on_ready(ready);
    attend(connection, id);
}

void Loop::accept(uint64_t listener) {
    for (int i = 0; i < kAcceptsPerRound; ++i) {
        Result<std::optional<Connection::Origin>> origin = listeners_.accept(listener);
        if (!origin.ok()) {
            log::error("proxy: {}; trying again in {} ms", origin.error().text(),
                       kAcceptPause / 1ms);
            listeners_.pause();
            ++shared_.counters.accept_pauses;
            accept_again_ = shared_.now + kAcceptPause;
            return;
        }
        if (!*origin) return;
        open(std::move(**origin));
    }
}

void Loop::open(Connection::Origin origin) {
    if (connections_.size() >= connections_max_ + kToldWhy) {
        ++shared_.counters.connections_dropped;
        return;
    }
    origin.over_limit = connections_.size() >= connections_max_;
    uint64_t id = ++last_id_;
    auto connection = std::make_unique<Connection>(id, shared_, std::move(origin));
    Result<void> watched = shared_.poller.watch_stream(connection->client_socket(), client_tag(id));
    if (!watched.ok()) {
        log::error("proxy: {}", watched.error().text());
        return;
    }
    ++shared_.counters.connections_accepted;
    Connection& opened = *connection;
    connections_.emplace(id, Entry{std::move(connection), std::nullopt});
    shared_.counters.connections_open = connections_.size();
    attend(opened, id);
}

void Loop::take_mail() {
    for (auto& [id, letter] : shared_.mailbox->take()) {
        auto found = connections_.find(id);
        if (found == connections_.end()) continue;
        Connection& connection = *found->second.connection;
        letter(connection);
        attend(connection, id);
    }
}

void Loop::shut_down(ShutDown request) {
    {
        std::lock_guard lock(mutex_);
        requests_.push_back(std::move(request));
    }
    shared_.mailbox->wake();
}

void Loop::stop() {
    shut_down({Whom::everybody, "",
               pgwire::with_sqlstate(
                   error(Code::unavailable, "terminating connection: the server is shutting down"),
                   "57P01")});
    stopping_ = true;
    shared_.mailbox->wake();
}

void Loop::take_requests() {
    std::vector<ShutDown> requests;
    {
        std::lock_guard lock(mutex_);
        requests.swap(requests_);
    }
    for (const ShutDown& request : requests) {
        std::vector<uint64_t> meant;
        for (const auto& [id, entry] : connections_)
            if (request.whom == Whom::everybody || entry.connection->endpoint() == request.endpoint)
                meant.push_back(id);
        for (uint64_t id : meant) {
            Connection& connection = *connections_.at(id).connection;
            if (request.whom == Whom::sessions)
                connection.end_session(request.reason);
            else
                connection.shut_down(request.reason);
            attend(connection, id);
        }
    }
}

void Loop::expire() {
    if (accept_again_ && shared_.now >= *accept_again_) {
        accept_again_.reset();
        Result<void> resumed = listeners_.resume();
        if (!resumed.ok()) log::error("proxy: {}", resumed.error().text());
    }
    while (!deadlines_.empty() && deadlines_.begin()->first <= shared_.now) {
        uint64_t id = deadlines_.begin()->second;
        deadlines_.erase(deadlines_.begin());
        Entry& entry = connections_.at(id);
        entry.scheduled.reset();
        entry.connection->on_deadline();
        attend(*entry.connection, id);
    }
}

void Loop::give_turns() {
    for (uint64_t id : std::exchange(turns_, {})) {
        auto found = connections_.find(id);
        if (found != connections_.end()) attend(*found->second.connection, id);
    }
}

void Loop::attend(Connection& connection, uint64_t id) {
    connection.run();
    Entry& entry = connections_.at(id);
    std::optional<Elapsed> deadline = connection.is_closed() ? std::nullopt : connection.deadline();
    if (entry.scheduled != deadline) {
        if (entry.scheduled) deadlines_.erase({*entry.scheduled, id});
        if (deadline) deadlines_.emplace(*deadline, id);
        entry.scheduled = deadline;
    }
    if (connection.is_closed()) {
        connections_.erase(id);
        shared_.counters.connections_open = connections_.size();
    } else if (connection.wants_turn()) {
        turns_.push_back(id);
    }
}

}  // namespace tarn::proxy
