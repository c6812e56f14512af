// backplane.h: what the proxy needs from the rest of Tarn.
//
// The proxy knows sockets, TLS and the protocol. Which endpoint an address belongs to, whether a
// password is good and how a compute is woken is the business of others; `tarn` wires them
// together.
//
// Errors are shown to the client: code, message and hint as they are. The SQLSTATE is the one that
// pgwire::with_sqlstate put on the Error, else the table's for its code. login_errors.h has those
// that a login needs, worded as the service words them.
//
// Threads: every call is made from the proxy's worker threads, several at a time, and may block for
// some milliseconds (a look-up, a signature); one that blocks for longer holds up other logins.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace tarn::proxy {

// What a client says about itself once it has sent its password inside of TLS.
struct Login {
    std::string user;
    std::string database;
    std::string password;
};

class Backplane {
  public:
    virtual ~Backplane() = default;

    // The uid of the endpoint that owns the local address ("127.64.0.5") a client dialled.
    virtual Result<std::string> endpoint_at(const std::string& address) = 0;
    // The uid of the endpoint that a client names, by SNI or by `options=endpoint=<name>`.
    virtual Result<std::string> endpoint_named(const std::string& name) = 0;

    // Checks the password. Called after the password has arrived, so that a token that was minted
    // while the connection was already open counts.
    virtual Result<void> authenticate(const std::string& endpoint, const Login& login) = 0;

    using Awake = std::function<void(Result<std::string> socket_directory)>;
    // Calls `done` once, from any thread and perhaps before returning, with the directory in which
    // the compute's `.s.PGSQL.5432` accepts connections. Must itself not wait for the start. Asked
    // only after authenticate() agreed; asked again for a connection when that directory did not
    // answer, for a compute may end at any time.
    virtual void wake(const std::string& endpoint, Awake done) = 0;
};

}  // namespace tarn::proxy
