// server_greeting.h: what a server says between the startup packet and its first ReadyForQuery.
//
// Everything is held back until the server is ready: as long as the client has seen nothing,
// another server may still be tried in its stead. On the way the server's cancel key is taken out,
// and one of the proxy's own put in its place.
//
// Threads: one at a time.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "pgwire/error_response.h"
#include "pgwire/startup.h"

namespace tarn::pgwire {

// A greeting is some 500 bytes; login triggers may add notices.
inline constexpr size_t kGreetingBytesMax = size_t{1} << 20;

class ServerGreeting {
  public:
    enum class State { running, ready, refused };

    // `client_key` makes the key that the client gets for the server's own.
    explicit ServerGreeting(std::function<CancelKey(const CancelKey&)> client_key)
        : client_key_(std::move(client_key)) {}

    // Takes what the server sent. An Error means that it is no server that trusts its socket.
    Result<State> feed(std::string_view bytes);

    // For the client: when ready the greeting (and what came behind it), when refused the
    // ErrorResponse.
    std::string take_output() { return std::move(output_); }
    const ErrorFields& refusal() const { return refusal_; }
    const CancelKey& server_key() const { return server_key_; }

  private:
    Result<State> on_message(char type, std::string_view body, std::string_view whole);

    std::function<CancelKey(const CancelKey&)> client_key_;
    State state_ = State::running;
    std::string pending_;  // a message that is not whole yet
    std::string output_;
    ErrorFields refusal_;
    CancelKey server_key_;
};

}  // namespace tarn::pgwire
