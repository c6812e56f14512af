// connection.h: one client's connection, from accept to close.
//
//   login -> (tls) -> login -> asking (route) -> login (password) -> asking (authenticate, wake)
//     -> greeting -> relaying -> ending -> lingering
//
// A compute that does not answer, or that is just starting or stopping, is asked for again until
// the wake timeout; the client sees none of it. After a refusal the connection lingers until the
// client has closed its side: closing at once, with bytes of the client unread, would reset the
// connection and take the error message with it.
//
// Invariants
//   C1  The backplane's wake() is called only after authenticate() agreed.
//       [ProxyTest.AWrongPasswordWakesNothing]
//   C2  Nothing is read from the client while it is not its turn.
//       [ProxyTest.WhatAClientSendsBeforeItsTurnWaitsForIt,
//       ProxyTest.AClientThatDoesNotReadCostsNoMemory]
//   C3  A connection that waits for anything but a query has a deadline.
//       [ProxyTest.SilentClientsAreDroppedBeforeTheLoginButNotWhileTheyFetchTheirPassword,
//       ProxyTest.SessionsEndWhenIdleOrOld, ProxyTest.AComputeThatNeverAnswersIsGivenUp]
//
// Threads: the event loop's only.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "pgwire/client_session.h"
#include "pgwire/server_greeting.h"
#include "proxy/activity.h"
#include "proxy/backplane.h"
#include "proxy/cancel_keys.h"
#include "proxy/client_stream.h"
#include "proxy/mailbox.h"
#include "proxy/options.h"
#include "proxy/relay.h"
#include "proxy/server_stream.h"
#include "proxy/stats.h"
#include "proxy/workers.h"

namespace tarn::proxy {

// What epoll reports: which socket of which connection. Ids begin at 1 and are never used again.
inline constexpr uint64_t kTagKinds = 4;
inline constexpr uint64_t client_tag(uint64_t id) {
    return id * kTagKinds;
}
inline constexpr uint64_t server_tag(uint64_t id) {
    return id * kTagKinds + 1;
}
inline constexpr uint64_t listener_tag(uint64_t id) {
    return id * kTagKinds + 2;
}
inline constexpr uint64_t kMailboxTag = 3;

// What connections share; the event loop owns it.
struct Shared {
    const Options& options;
    Tls& tls;
    Backplane& backplane;
    Activity& activity;
    Counters& counters;
    Workers& workers;
    std::shared_ptr<Mailbox> mailbox;
    sys::Poller poller;
    CancelKeys cancel_keys;
    Elapsed now;             // of this round of the loop
    std::span<char> buffer;  // scratch, for one read
};

class Connection {
  public:
    struct Origin {
        sys::Socket socket;
        std::string address;      // local, as dialled
        bool network = false;     // came by the network mode's listener
        bool over_limit = false;  // to be told so and sent away
    };
    Connection(uint64_t id, Shared& shared, Origin origin);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    ClientStream& client() { return client_; }
    ServerStream& server() { return server_; }
    const std::string& endpoint() const { return endpoint_; }

    // Does what can be done now.
    void run();
    void on_deadline();
    // Ends the session with `reason` as its last message, where the protocol has room for one.
    void shut_down(const Error& reason);
    // The same, if there is one; a login leaves the server that it has, and asks for another.
    void end_session(const Error& reason);

    bool is_closed() const { return phase_ == Phase::closed; }
    // Others have their turn, then run() must be called again.
    bool wants_turn() const { return wants_turn_; }
    std::optional<Elapsed> deadline() const { return deadline_; }
    const sys::Socket& client_socket() const { return client_.socket(); }

  private:
    enum class Phase {
        login,       // reading the packet that the session waits for
        tls,         // handshake
        asking,      // a worker or a starting compute will answer
        retrying,    // the compute did not answer: until the deadline
        greeting,    // the server's greeting is under way
        relaying,    // queries and rows
        cancelling,  // a cancel request was passed on, until the server closes
        ending,      // something is still to be sent
        lingering,   // until the client closes too
        closed
    };
    // A step answers whether another may be done at once.
    bool step();
    bool read_login();
    bool shake_hands();
    bool watch_for_hangup();
    bool read_greeting();
    bool relay();
    bool await_cancel();
    bool finish_sending();
    bool linger();

    void do_actions();
    void do_action(pgwire::action::Send& action);
    void do_action(pgwire::action::StartTls& action);
    void do_action(pgwire::action::Route& action);
    void do_action(pgwire::action::Authenticate& action);
    void do_action(pgwire::action::Cancel& action);
    void do_action(pgwire::action::Close& action);

    void on_routed(Result<std::string> endpoint);
    void on_authenticated(Result<void> outcome, const std::string& user);
    void wake();
    void on_awake(Result<std::string> socket_directory);
    Result<void> connect_server(const std::string& socket_path);
    void retry(Error reason);
    void on_ready_server(pgwire::ServerGreeting::State state);
    void refuse(const Error& error);
    void end();
    void close();
    void leave_server();
    void watch_room();
    void set_deadline(Elapsed deadline) { deadline_ = deadline; }
    void set_idle_deadline();
    Elapsed within(std::chrono::milliseconds span) const { return shared_.now + span; }

    const uint64_t id_;
    Shared& shared_;
    const std::string address_;
    const bool network_;
    const bool over_limit_;
    const Elapsed accepted_;
    Phase phase_ = Phase::login;
    bool wants_turn_ = false;
    std::optional<Elapsed> deadline_;

    pgwire::ClientSession session_;
    ClientStream client_;
    ServerStream server_;
    std::optional<pgwire::ServerGreeting> greeting_;
    std::optional<Relay> relay_;

    std::string endpoint_;
    Activity::Session usage_;
    Elapsed last_active_{0};  // of this session
    Elapsed awake_until_{0};  // when waiting for the compute ends
    std::chrono::milliseconds retry_pause_{10};
    std::string last_failure_;  // why the compute was not reached, so far
    std::string socket_path_;
    std::optional<pgwire::CancelKey> cancel_key_;
    bool first_byte_read_ = false;
    bool client_room_watched_ = false;
    bool server_room_watched_ = false;
};

}  // namespace tarn::proxy
