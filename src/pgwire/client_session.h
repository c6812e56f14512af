// client_session.h: one client's connection from its first byte to its login, without sockets.
//
// Bytes go in, actions come out; whoever owns the socket does the actions in order and tells the
// outcome. The session asks for exactly as many bytes as the packet it waits for still lacks, so
// that nothing is ever read ahead: what follows SSLRequest belongs to TLS, what follows the
// password to the server. After `accept()` its work is done and bytes go past it.
//
//   first_packet --StartTls--> tls --on_tls()--> startup --Route--> routing --routed()--> password
//     --Authenticate--> authenticating --accept()--> accepted
//
// Invariants
//   I1  No password is asked for, and none is taken, before on_tls().
//       [ClientSession.RefusesAPlainConnectionBeforeAnyPassword]
//   I2  Nothing is kept but the packet being read, at most kPasswordBytesMax.
//       [Fuzz.AClientSessionSurvivesAnythingAndStaysBounded]
//   I3  After a Close action no other action follows.
//       [ClientSession.RefusesAPlainConnectionBeforeAnyPassword]
//
// Threads: one at a time.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "pgwire/startup.h"

namespace tarn::pgwire {

// PostgreSQL's own bound for authentication messages is 65,535 bytes, type and length included.
inline constexpr size_t kPasswordBytesMax = 65'530;

namespace action {
struct Send {
    std::string bytes;
};
// Answer the ClientHello that comes next, then call on_tls().
struct StartTls {};
// Find the endpoint, then call routed() or refuse().
struct Route {
    std::string server_name;  // SNI, "" if the client named none
    std::string endpoint;     // of `options=endpoint=<id>`, "" likewise
};
// Check the password, then call accept() or refuse().
struct Authenticate {
    std::string user;
    std::string database;
    std::string password;
};
// Pass the cancel request on, then close.
struct Cancel {
    CancelKey key;
};
// Close once everything sent has left.
struct Close {};
}  // namespace action

using Action = std::variant<action::Send, action::StartTls, action::Route, action::Authenticate,
                            action::Cancel, action::Close>;

struct TlsFacts {
    std::string server_name;  // SNI
    bool alpn = false;        // the client agreed on "postgresql"
};

class ClientSession {
  public:
    enum class State {
        first_packet,
        tls,
        startup,
        routing,
        password,
        authenticating,
        accepted,
        cancelling,
        closed
    };

    // How many more bytes feed() would take now; 0 while it is not the client's turn.
    size_t bytes_wanted() const { return wanted_; }
    // Takes at most bytes_wanted() bytes and answers how many.
    size_t feed(std::string_view bytes);
    std::vector<Action> take_actions() { return std::exchange(actions_, {}); }

    // The first byte was a TLS record: the client begins with TLS at once (sslnegotiation=direct).
    void on_direct_tls();
    void on_tls(TlsFacts facts);
    void routed();
    void accept();
    // Ends the session with `error` as the client's answer.
    void refuse(const Error& error);

    State state() const { return state_; }
    const std::string& user() const { return user_; }
    // What the server is told at startup: the client's own parameters without those for the proxy.
    const Parameters& server_parameters() const { return server_parameters_; }
    // How long the secret of the client's cancel key may be: four bytes before protocol 3.2.
    size_t cancel_secret_bytes() const { return minor_ >= 2 ? 32 : 4; }

  private:
    void on_packet_head();
    void on_packet();
    void on_first_packet(FirstPacket packet);
    void on_startup(StartupMessage startup);
    Result<void> check_startup(const StartupMessage& startup) const;
    void on_password();
    void want_packet(State state, size_t head_bytes);
    void emit(Action action);
    void send(std::string bytes) { emit(action::Send{std::move(bytes)}); }
    bool in_tls() const { return tls_; }

    State state_ = State::first_packet;
    size_t wanted_ = 8;
    bool head_seen_ = false;  // the length of the packet being read is known
    bool tls_ = false;
    bool direct_tls_ = false;
    bool gss_refused_ = false;
    uint16_t minor_ = 0;
    std::string packet_;
    std::string user_;
    std::string database_;
    std::string server_name_;
    Parameters server_parameters_;
    std::vector<Action> actions_;
};

}  // namespace tarn::pgwire
