#include "proxy/connection.h"

#include <algorithm>

#include "base/log.h"
#include "pgwire/error_response.h"
#include "proxy/login_errors.h"
#include "proxy/routing.h"

namespace tarn::proxy {
namespace {

using namespace std::chrono_literals;

constexpr auto kLinger = 2s;
constexpr auto kSendRest = 30s;
constexpr auto kCancelTimeout = 10s;
constexpr auto kRetryPauseMax = 500ms;
constexpr const char* kSocketName = "/.s.PGSQL.5432";

// What a server says that is starting, stopping or recovering: a little later another one answers.
bool is_passing(const std::string& sqlstate) {
    return sqlstate == "57P03" || sqlstate == "57P01" || sqlstate == "57P02";
}

}  // namespace

Connection::Connection(uint64_t id, Shared& shared, Origin origin)
    : id_(id),
      shared_(shared),
      address_(std::move(origin.address)),
      network_(origin.network),
      over_limit_(origin.over_limit),
      accepted_(shared.now),
      client_(std::move(origin.socket)) {
    set_deadline(within(shared.options.handshake_timeout));
}

Connection::~Connection() {
    leave_server();
    if (!relay_) return;
    shared_.counters.bytes_from_clients += relay_->bytes_from_client();
    shared_.counters.bytes_from_servers += relay_->bytes_from_server();
}

void Connection::run() {
    wants_turn_ = false;
    while (phase_ != Phase::closed && step()) continue;
    if (phase_ != Phase::closed) watch_room();
}

void Connection::watch_room() {
    if (client_.needs_room() != client_room_watched_) {
        client_room_watched_ = client_.needs_room();
        shared_.poller.watch_room(client_.socket(), client_tag(id_), client_room_watched_);
    }
    if (server_.is_open() && server_.needs_room() != server_room_watched_) {
        server_room_watched_ = server_.needs_room();
        shared_.poller.watch_room(server_.socket(), server_tag(id_), server_room_watched_);
    }
}

bool Connection::step() {
    switch (phase_) {
        case Phase::login:
            return read_login();
        case Phase::tls:
            return shake_hands();
        case Phase::asking:
        case Phase::retrying:
            return watch_for_hangup();
        case Phase::greeting:
            return read_greeting();
        case Phase::relaying:
            return relay();
        case Phase::cancelling:
            return await_cancel();
        case Phase::ending:
            return finish_sending();
        case Phase::lingering:
            return linger();
        case Phase::closed:
            return false;
    }
    return false;
}

bool Connection::read_login() {
    if (!client_.flush()) return close(), false;
    if (!first_byte_read_ && client_.begins_with_tls()) {
        first_byte_read_ = true;
        session_.on_direct_tls();
        do_actions();
        return true;
    }
    size_t wanted = std::min(session_.bytes_wanted(), shared_.buffer.size());
    if (wanted == 0) return false;
    sys::Io io = client_.read(shared_.buffer.data(), wanted);
    if (io.kind == sys::Io::would_block) return false;
    if (io.kind != sys::Io::moved) return close(), false;
    first_byte_read_ = true;
    session_.feed({shared_.buffer.data(), io.bytes});
    do_actions();
    return true;
}

bool Connection::shake_hands() {
    switch (client_.shake_hands()) {
        case ClientStream::Handshake::waiting:
            return false;
        case ClientStream::Handshake::failed:
            log::debug("proxy: TLS with a client of {} failed: {}", address_, openssl_reason());
            return end(), true;
        case ClientStream::Handshake::done:
            break;
    }
    phase_ = Phase::login;
    session_.on_tls({.server_name = client_.server_name(), .alpn = client_.has_alpn()});
    do_actions();
    return true;
}

// C2: only its going away counts.
bool Connection::watch_for_hangup() {
    if (!client_.flush() || client_.is_hung_up()) close();
    return false;
}

void Connection::do_actions() {
    for (pgwire::Action& action : session_.take_actions())
        std::visit([this](auto& one) { do_action(one); }, action);
}

void Connection::do_action(pgwire::action::Send& action) {
    client_.write(action.bytes);
    client_.flush();
}

void Connection::do_action(pgwire::action::StartTls&) {
    phase_ = Phase::tls;
    Result<void> begun = client_.start_tls(shared_.tls, address_);
    if (begun.ok()) return;
    log::error("proxy: {}", begun.error().text());
    close();
}

void Connection::do_action(pgwire::action::Route& action) {
    if (over_limit_)
        return refuse(too_many_connections("the server", shared_.options.connections_max));
    phase_ = Phase::asking;
    set_deadline(within(shared_.options.wake_timeout));
    RouteRequest request{network_ ? "" : address_, std::move(action.server_name),
                         std::move(action.endpoint)};
    shared_.workers.add([&shared = shared_, id = id_, request] {
        Result<std::string> endpoint = route(shared.backplane, request, shared.options.tls.domain);
        shared.mailbox->post(id, [endpoint](Connection& self) { self.on_routed(endpoint); });
    });
}

void Connection::on_routed(Result<std::string> endpoint) {
    if (phase_ != Phase::asking) return;
    if (!endpoint.ok()) return refuse(endpoint.error());
    endpoint_ = std::move(endpoint).value();
    phase_ = Phase::login;
    set_deadline(within(shared_.options.password_timeout));
    // Here a login method other than a password would be chosen.
    session_.routed();
    do_actions();
}

void Connection::do_action(pgwire::action::Authenticate& action) {
    phase_ = Phase::asking;
    set_deadline(within(shared_.options.wake_timeout));
    Login login{std::move(action.user), std::move(action.database), std::move(action.password)};
    shared_.workers.add(
        [&shared = shared_, id = id_, endpoint = endpoint_, login = std::move(login)] {
            Result<void> outcome = shared.backplane.authenticate(endpoint, login);
            shared.mailbox->post(id, [outcome, user = login.user](Connection& self) {
                self.on_authenticated(outcome, user);
            });
        });
}

void Connection::on_authenticated(Result<void> outcome, const std::string& user) {
    if (phase_ != Phase::asking) return;
    if (!outcome.ok()) {
        ++shared_.counters.logins_refused;
        log::info("proxy: login refused endpoint={} user={}: {}", endpoint_, user,
                  outcome.error().message());
        return refuse(outcome.error());
    }
    size_t sessions_max = shared_.options.endpoint_sessions_max;
    std::optional<Activity::Session> usage =
        shared_.activity.open(endpoint_, sessions_max, shared_.now);
    if (!usage)
        return refuse(
            too_many_connections(fmt::format("endpoint \"{}\"", endpoint_), sessions_max));
    usage_ = std::move(*usage);
    session_.accept();
    awake_until_ = within(shared_.options.wake_timeout);
    wake();
}

void Connection::wake() {
    phase_ = Phase::asking;
    set_deadline(awake_until_);
    shared_.workers.add([&shared = shared_, id = id_, endpoint = endpoint_] {
        // The mailbox is kept by the callback, for it may outlive the proxy.
        shared.backplane.wake(
            endpoint, [mailbox = shared.mailbox, id](Result<std::string> directory) {
                mailbox->post(id, [directory](Connection& self) { self.on_awake(directory); });
            });
    });
}

void Connection::on_awake(Result<std::string> socket_directory) {
    if (phase_ != Phase::asking) return;
    if (!socket_directory.ok()) {
        log::warn("proxy: endpoint {} could not be woken: {}", endpoint_,
                  socket_directory.error().text());
        return refuse(cannot_wake(socket_directory.error()));
    }
    Result<void> connected = connect_server(*socket_directory + kSocketName);
    if (!connected.ok()) return retry(connected.error());
    greeting_.emplace([this](const pgwire::CancelKey& server_key) {
        cancel_key_ =
            shared_.cancel_keys.issue({socket_path_, server_key}, session_.cancel_secret_bytes());
        return *cancel_key_;
    });
    server_.write(pgwire::startup_packet(session_.server_parameters()));
    phase_ = Phase::greeting;
}

Result<void> Connection::connect_server(const std::string& socket_path) {
    socket_path_ = socket_path;
    server_room_watched_ = false;
    server_ = ServerStream(TRY(sys::connect_unix(socket_path)));
    return shared_.poller.watch_stream(server_.socket(), server_tag(id_));
}

// The client has seen nothing of this server, so that another one may be tried.
void Connection::retry(Error reason) {
    ++shared_.counters.server_retries;
    last_failure_ = reason.message();
    server_ = ServerStream();
    greeting_.reset();
    if (cancel_key_) shared_.cancel_keys.revoke(*std::exchange(cancel_key_, std::nullopt));
    phase_ = Phase::retrying;
    set_deadline(std::min(within(retry_pause_), awake_until_));
    retry_pause_ = std::min<std::chrono::milliseconds>(retry_pause_ * 2, kRetryPauseMax);
}

bool Connection::read_greeting() {
    if (!client_.flush() || client_.is_hung_up()) return close(), false;
    server_.flush();
    sys::Io io = server_.read(shared_.buffer.data(), shared_.buffer.size());
    if (io.kind == sys::Io::would_block) return false;
    if (io.kind != sys::Io::moved) {
        retry(error(Code::unavailable, "the compute closed the connection before it was ready"));
        return false;
    }
    auto state = greeting_->feed({shared_.buffer.data(), io.bytes});
    if (!state.ok()) {
        log::error("proxy: endpoint {}: {}", endpoint_, state.error().text());
        return refuse(state.error()), true;
    }
    if (*state != pgwire::ServerGreeting::State::running) on_ready_server(*state);
    return true;
}

void Connection::on_ready_server(pgwire::ServerGreeting::State state) {
    if (state == pgwire::ServerGreeting::State::refused) {
        const pgwire::ErrorFields& refusal = greeting_->refusal();
        if (is_passing(refusal.sqlstate))
            return retry(error(Code::unavailable, "{}", refusal.message));
        // The server's own words: no such database, no right to connect, too many clients.
        client_.write(greeting_->take_output());
        return end();
    }
    ++shared_.counters.logins_done;
    phase_ = Phase::relaying;
    relay_.emplace(client_, server_);
    relay_->give_client(greeting_->take_output());
    greeting_.reset();
    last_active_ = shared_.now;
    usage_.touch(shared_.now);
    set_idle_deadline();
}

bool Connection::relay() {
    Relay::Outcome outcome = relay_->pump(shared_.buffer);
    if (relay_->has_moved()) {
        last_active_ = shared_.now;
        usage_.touch(shared_.now);
    }
    if (outcome == Relay::Outcome::more) wants_turn_ = true;
    if (outcome == Relay::Outcome::client_gone) close();
    if (outcome == Relay::Outcome::server_gone) {
        if (relay_->ended_silently()) client_.write(pgwire::error_response(compute_lost()));
        return end(), true;
    }
    return false;
}

void Connection::do_action(pgwire::action::Cancel& action) {
    std::optional<CancelTarget> target = shared_.cancel_keys.find(action.key);
    // A wrong key gets the same answer as a right one, as with PostgreSQL: none.
    if (!target || !connect_server(target->socket_path).ok()) return end();
    ++shared_.counters.cancels_forwarded;
    server_.write(pgwire::cancel_request(target->server_key));
    phase_ = Phase::cancelling;
    set_deadline(within(kCancelTimeout));
}

// The client waits for the end as a sign that the request has been handled.
bool Connection::await_cancel() {
    server_.flush();
    sys::Io io = server_.read(shared_.buffer.data(), shared_.buffer.size());
    if (io.kind == sys::Io::would_block) return false;
    if (io.kind != sys::Io::moved) end();
    return true;
}

void Connection::do_action(pgwire::action::Close&) {
    end();
}

void Connection::refuse(const Error& error) {
    session_.refuse(error);
    do_actions();
}

void Connection::shut_down(const Error& reason) {
    if (phase_ == Phase::ending || phase_ == Phase::lingering || phase_ == Phase::closed) return;
    if (phase_ != Phase::relaying) return refuse(reason);
    if (relay_->between_messages()) client_.write(pgwire::error_response(reason));
    end();
}

void Connection::end_session(const Error& reason) {
    if (phase_ == Phase::relaying) return shut_down(reason);
    if (phase_ == Phase::greeting) retry(reason);
}

// From here on only what is kept for the client leaves, then its going away is awaited.
void Connection::end() {
    if (phase_ == Phase::ending || phase_ == Phase::lingering || phase_ == Phase::closed) return;
    leave_server();
    client_.end();
    phase_ = Phase::ending;
    set_deadline(within(kSendRest));
}

bool Connection::finish_sending() {
    if (!client_.flush()) return close(), false;
    if (client_.has_unsent()) return false;
    sys::end_sending(client_.socket());
    phase_ = Phase::lingering;
    set_deadline(within(kLinger));
    return true;
}

bool Connection::linger() {
    if (client_.drain(shared_.buffer.data(), shared_.buffer.size())) close();
    return false;
}

void Connection::close() {
    leave_server();
    phase_ = Phase::closed;
}

void Connection::leave_server() {
    server_ = ServerStream();
    if (cancel_key_) shared_.cancel_keys.revoke(*std::exchange(cancel_key_, std::nullopt));
    if (!usage_) return;
    usage_.touch(shared_.now);
    usage_ = Activity::Session();
}

void Connection::set_idle_deadline() {
    set_deadline(std::min(last_active_ + shared_.options.idle_timeout,
                          accepted_ + shared_.options.lifetime_max));
}

void Connection::on_deadline() {
    deadline_.reset();
    switch (phase_) {
        case Phase::login:
            if (session_.state() != pgwire::ClientSession::State::password) return close();
            return refuse(pgwire::with_sqlstate(
                error(Code::timed_out, "canceling authentication due to timeout"), "57014"));
        case Phase::retrying:
            if (shared_.now < awake_until_) return wake();
            return refuse(cannot_wake(error(Code::timed_out, "{}", last_failure_)));
        case Phase::asking:
        case Phase::greeting:
            return refuse(cannot_wake(error(Code::timed_out, "it was not ready in time")));
        case Phase::relaying:
            break;
        default:
            return close();
    }
    bool too_old = shared_.now >= accepted_ + shared_.options.lifetime_max;
    // Bytes may have moved since: the relay does not touch the deadline.
    if (!too_old && shared_.now < last_active_ + shared_.options.idle_timeout)
        return set_idle_deadline();
    shut_down(pgwire::with_sqlstate(error(Code::unavailable, "terminating connection due to {}",
                                          too_old ? "its age" : "idle-session timeout"),
                                    too_old ? "57P01" : "57P05"));
}

}  // namespace tarn::proxy
