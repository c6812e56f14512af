// cancel_keys.h: the cancel keys that clients of the proxy hold.
//
// The process id stays the server's own: clients compare it with pg_stat_activity,
// pg_blocking_pids() and the sender of a notification. The secret is the proxy's, and long where
// the client's protocol version allows it. Who knows both may cancel, as with PostgreSQL.
//
// Threads: one.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "pgwire/startup.h"

namespace tarn::proxy {

struct CancelTarget {
    std::string socket_path;
    pgwire::CancelKey server_key;
};

class CancelKeys {
  public:
    // A key that nobody else holds.
    pgwire::CancelKey issue(CancelTarget target, size_t secret_bytes);
    void revoke(const pgwire::CancelKey& key);
    std::optional<CancelTarget> find(const pgwire::CancelKey& key) const;
    size_t count() const { return targets_.size(); }

  private:
    std::unordered_map<std::string, CancelTarget> targets_;  // by process id and secret
};

}  // namespace tarn::proxy
