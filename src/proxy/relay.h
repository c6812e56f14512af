// relay.h: bytes between a client and its server, both ways, until one of them ends.
//
// Nothing is read from one side while the other has not taken what was read before: what is kept is
// at most one buffer each way, and an idle connection keeps none.
//
// Threads: one.
#pragma once

#include <span>

#include "pgwire/frame_tracker.h"
#include "proxy/client_stream.h"
#include "proxy/server_stream.h"

namespace tarn::proxy {

class Relay {
  public:
    Relay(ClientStream& client, ServerStream& server) : client_(client), server_(server) {}

    enum class Outcome {
        waiting,      // nothing can move until a socket is ready
        more,         // others have their turn, then there is more to move
        client_gone,  // the server has all that the client sent
        server_gone   // the client has been given all that the server sent
    };
    // `buffer` is scratch space; what matters of it is kept elsewhere on return.
    Outcome pump(std::span<char> buffer);

    // Bytes that the server sent earlier.
    void give_client(std::string_view bytes);
    // Whether a message to the client may be put in now.
    bool between_messages() const { return !tracker_.broken() && tracker_.between_messages(); }
    // Has the server gone without a word? Before its own end it says why; after the client's
    // Terminate there is nothing to say, and drivers would take it amiss.
    bool ended_silently() const {
        return between_messages() && tracker_.last_type() != 'E' && !client_said_goodbye_;
    }
    bool has_moved() { return std::exchange(moved_, false); }  // since it was last asked
    uint64_t bytes_from_client() const { return bytes_from_client_; }
    uint64_t bytes_from_server() const { return bytes_from_server_; }

  private:
    enum class Step { none, moved, over };
    Step to_server(std::span<char> buffer);
    Step to_client(std::span<char> buffer);

    ClientStream& client_;
    ServerStream& server_;
    pgwire::FrameTracker tracker_;  // of the server's messages
    bool moved_ = false;
    bool client_said_goodbye_ = false;
    uint64_t bytes_from_client_ = 0;
    uint64_t bytes_from_server_ = 0;
};

}  // namespace tarn::proxy
