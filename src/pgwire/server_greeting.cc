#include "pgwire/server_greeting.h"

#include "pgwire/message.h"

namespace tarn::pgwire {

Result<ServerGreeting::State> ServerGreeting::feed(std::string_view bytes) {
    if (pending_.size() + output_.size() + bytes.size() > kGreetingBytesMax)
        return error(Code::malformed,
                     "read the server's greeting: more than {} bytes before it is ready",
                     kGreetingBytesMax);
    pending_.append(bytes);
    std::string_view rest = pending_;
    Message message;
    while (state_ == State::running) {
        std::string_view head = rest;
        Framing framing = next_message(rest, kGreetingBytesMax, message);
        if (framing == Framing::incomplete) break;
        if (framing == Framing::malformed)
            return error(Code::malformed, "read the server's greeting: a length makes no sense");
        state_ =
            TRY(on_message(message.type, message.body, head.substr(0, head.size() - rest.size())));
    }
    if (state_ == State::running) {
        pending_.erase(0, pending_.size() - rest.size());
    } else {
        if (state_ == State::ready) output_.append(rest);
        pending_.clear();
    }
    return state_;
}

Result<ServerGreeting::State> ServerGreeting::on_message(char type, std::string_view body,
                                                         std::string_view whole) {
    FieldReader reader(body);
    switch (type) {
        case 'R':
            if (uint32_t method = reader.be32(); method != 0)
                return error(Code::internal, "the server asks for authentication method {}", method)
                    .with_hint("its pg_hba.conf must trust local connections over its own socket");
            break;
        case 'K': {
            server_key_.pid = reader.be32();
            server_key_.secret = reader.rest();
            CancelKey key = client_key_(server_key_);
            output_.append(MessageWriter().begin('K').be32(key.pid).bytes(key.secret).end().take());
            return State::running;
        }
        case 'E':
            refusal_ = TRY(parse_error_fields(body));
            output_ = whole;
            return State::refused;
        case 'Z':
            output_.append(whole);
            return State::ready;
        default:
            break;
    }
    output_.append(whole);
    return State::running;
}

}  // namespace tarn::pgwire
