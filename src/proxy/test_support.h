// test_support.h: what the tests of the proxy stand on: a real PostgreSQL, real programs, a client
// that can also misbehave, and a backplane whose answers the test decides.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pg/test_cluster.h"
#include "pgwire/error_response.h"
#include "pgwire/startup.h"
#include "proxy/backplane.h"
#include "proxy/openssl_ptr.h"
#include "proxy/proxy.h"
#include "sys/sockets.h"

namespace tarn::proxy::testing {

// Waits until `condition` holds; false after half a minute.
bool eventually(const std::function<bool()>& condition);

struct Finished {
    int status = -1;
    std::string output;  // standard output
    std::string errors;  // standard error
};

// A program with its output going to files. Killed if it still runs when this goes.
class Program {
  public:
    using Environment = std::map<std::string, std::string>;
    explicit Program(const std::vector<std::string>& command, const Environment& environment = {},
                     const std::string& input = "/dev/null");
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program();

    void signal(int number) const;
    bool is_running();
    Finished wait();
    std::string output() const;
    std::string errors() const;

  private:
    std::string directory_;
    pid_t pid_ = -1;
    std::optional<int> status_;
};

// A stock PostgreSQL that listens on a Unix socket only and trusts it; made once for the program.
// Role me@example.com and database databricks_postgres are there.
class Server {
  public:
    static int major();  // any will do: the first that is there
    static Server& get();

    const std::string& socket_directory() const { return cluster_.socket_directory(); }
    // Rows of psql -At, directly over the socket, as superuser.
    std::string query(const std::string& sql, const std::string& database = "databricks_postgres");
    void start();
    void stop();  // fast

  private:
    Server();

    pg::testing::Cluster cluster_;
};

// Endpoint "ep-1" lies at every address given to serve(), is called "ep-1" and "named-1", and takes
// every user with password "secret".
class FakeBackplane : public Backplane {
  public:
    std::string socket_directory;

    void serve(const std::string& address, const std::string& endpoint);
    Result<std::string> endpoint_at(const std::string& address) override;
    Result<std::string> endpoint_named(const std::string& name) override;
    Result<void> authenticate(const std::string& endpoint, const Login& login) override;
    void wake(const std::string& endpoint, Awake done) override;

    std::atomic<int> wakes = 0;
    std::atomic<int> logins = 0;
    // Answer instead of the above.
    using OnAuthenticate = std::function<Result<void>(const Login&)>;
    using OnWake = std::function<void(Awake)>;
    void set_authenticate(OnAuthenticate answer);
    void set_wake(OnWake answer);

  private:
    std::mutex mutex_;
    OnAuthenticate on_authenticate_;                // guarded by mutex_
    OnWake on_wake_;                                // guarded by mutex_
    std::map<std::string, std::string> endpoints_;  // by address; guarded by mutex_
};

// A blocking client that speaks the protocol by hand.
class Client {
  public:
    // Connects; fails the test if that fails.
    Client(const std::string& host, uint16_t port);

    void send(std::string_view bytes);
    // Sends SSLRequest and shakes hands; false if TLS failed.
    bool start_tls(const std::string& ca_file = "", const std::string& verified_name = "");
    bool start_direct_tls(bool alpn);
    // One message: type and body; type 0 at the end of the stream.
    std::pair<char, std::string> receive();
    // Messages up to one of this type, whose body is answered. An ErrorResponse ends it too: its
    // fields are in `error`.
    std::string receive_until(char type);
    pgwire::ErrorFields error;
    // Startup message, password, up to ReadyForQuery; false with `error` if refused.
    bool log_in(const pgwire::Parameters& parameters, const std::string& password,
                uint16_t minor = 0);
    // The first column of the first row, as text.
    std::string query(const std::string& sql);
    bool at_end();  // waits for the end of the stream
    void end_sending() { sys::end_sending(socket_); }

    pgwire::CancelKey cancel_key;
    int fd() const { return socket_.fd(); }

  private:
    bool shake_hands(const std::string& ca_file, const std::string& verified_name, bool alpn);
    bool read_exactly(char* buffer, size_t bytes);

    sys::Socket socket_;
    SslContextPtr context_;
    SslPtr ssl_;
};

inline const char* kUser = "me@example.com";
inline const char* kDatabase = "databricks_postgres";

}  // namespace tarn::proxy::testing
