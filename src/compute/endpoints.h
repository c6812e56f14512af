// endpoints.h: the endpoints that a server has computes of, and its connections to their
// supervisors.
//
// Threads: any. The callback of on_exit() comes from a connection's thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "compute/endpoint.h"
#include "sys/descriptor.h"

namespace tarn::compute {

class Endpoints {
  public:
    Endpoints() = default;
    // Computes outlive the server: only the connections to their supervisors end here.
    ~Endpoints();

    std::shared_ptr<Endpoint> find(const std::string& uid) const;  // null: unknown
    std::shared_ptr<Endpoint> find_or_make(const std::string& uid);
    void forget(const std::string& uid);

    ComputeStatus status(const std::string& uid) const;
    Result<std::vector<Row>> query(const std::string& uid, const std::string& database,
                                   const std::string& statement) const;

    // The endpoint whose compute runs on the lineage, of all but `except`; "" if there is none.
    std::string running_on(uint64_t lineage, const std::string& except = "") const;
    // Gives the endpoint the lineage to run on. Two never run on one: the second would kill the
    // first.
    Result<void> claim(Endpoint& endpoint, uint64_t lineage);

    // The connection to a supervisor is the endpoint's from now on. `pid`: of the supervisor, where
    // it is a child of this process; else 0.
    std::shared_ptr<Channel> attach(const std::shared_ptr<Endpoint>& endpoint,
                                    sys::Descriptor socket, int pid, std::string socket_directory);
    void on_exit(std::function<void(const std::string& uid)> callback);

    // See Computes::let_go().
    void let_go();
    bool letting_go() const { return letting_go_; }

  private:
    void supervisor_ended(Endpoint& endpoint);

    mutable std::mutex mutex_;  // guards the two below
    std::map<std::string, std::shared_ptr<Endpoint>> endpoints_;
    std::function<void(const std::string&)> exit_callback_;
    std::atomic<bool> letting_go_ = false;
};

}  // namespace tarn::compute
