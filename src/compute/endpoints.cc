#include "compute/endpoints.h"

#include <sys/wait.h>

#include <utility>

#include "base/log.h"
#include "compute/layout.h"
#include "compute/probe.h"

namespace tarn::compute {

Endpoints::~Endpoints() {
    std::map<std::string, std::shared_ptr<Endpoint>> endpoints;
    {
        std::lock_guard held(mutex_);
        endpoints.swap(endpoints_);
        exit_callback_ = nullptr;
    }
    for (auto& [uid, endpoint] : endpoints) {
        {
            std::lock_guard held(endpoint->mutex);
            endpoint->expected_end = true;
        }
        endpoint->detach();
    }
}

std::shared_ptr<Endpoint> Endpoints::find(const std::string& uid) const {
    std::lock_guard held(mutex_);
    auto found = endpoints_.find(uid);
    return found == endpoints_.end() ? nullptr : found->second;
}

std::shared_ptr<Endpoint> Endpoints::find_or_make(const std::string& uid) {
    std::lock_guard held(mutex_);
    auto& place = endpoints_[uid];
    if (!place) place = std::make_shared<Endpoint>(uid);
    return place;
}

void Endpoints::forget(const std::string& uid) {
    std::lock_guard held(mutex_);
    endpoints_.erase(uid);
}

ComputeStatus Endpoints::status(const std::string& uid) const {
    auto found = find(uid);
    return found ? found->status() : ComputeStatus{};
}

Result<std::vector<Row>> Endpoints::query(const std::string& uid, const std::string& database,
                                          const std::string& statement) const {
    auto state = status(uid);
    if (state.state != ComputeState::running)
        return error(Code::unavailable, "the compute of endpoint {} is not running", uid);
    return compute::query(state.socket_directory, database, statement);
}

std::string Endpoints::running_on(uint64_t lineage, const std::string& except) const {
    std::lock_guard held(mutex_);
    for (const auto& [uid, endpoint] : endpoints_) {
        std::lock_guard each(endpoint->mutex);
        if (uid != except && endpoint->runs() && endpoint->lineage == lineage) return uid;
    }
    return "";
}

Result<void> Endpoints::claim(Endpoint& endpoint, uint64_t lineage) {
    std::lock_guard held(mutex_);
    for (const auto& [uid, other] : endpoints_) {
        if (other.get() == &endpoint) continue;
        std::lock_guard each(other->mutex);
        if (other->runs() && other->lineage == lineage)
            return error(Code::conflict, "endpoint {} runs on lineage {} already", uid,
                         lineage_text(lineage));
    }
    std::lock_guard own(endpoint.mutex);
    endpoint.lineage = lineage;
    return {};
}

std::shared_ptr<Channel> Endpoints::attach(const std::shared_ptr<Endpoint>& endpoint,
                                           sys::Descriptor socket, int pid,
                                           std::string socket_directory) {
    endpoint->detach();
    std::lock_guard held(endpoint->mutex);
    endpoint->expected_end = false;
    endpoint->socket_directory = std::move(socket_directory);
    // Weak: the endpoint owns the channel, whose thread calls this.
    auto ended = [this, pid,
                  weak = std::weak_ptr(endpoint)](const std::optional<PhaseReport>& report) {
        if (pid > 0) ::waitpid(pid, nullptr, 0);
        auto found = weak.lock();
        bool failed = report && report->phase == Phase::failed;  // the start that waits says so
        if (found && !failed) supervisor_ended(*found);
    };
    endpoint->channel = std::make_shared<Channel>(std::move(socket), std::move(ended));
    if (letting_go_) endpoint->channel->abandon();
    return endpoint->channel;
}

void Endpoints::on_exit(std::function<void(const std::string&)> callback) {
    std::lock_guard held(mutex_);
    exit_callback_ = std::move(callback);
}

// From the channel's thread: tells whoever wants to know.
void Endpoints::supervisor_ended(Endpoint& endpoint) {
    {
        std::lock_guard held(endpoint.mutex);
        if (endpoint.expected_end) return;
    }
    std::function<void(const std::string&)> callback;
    {
        std::lock_guard held(mutex_);
        callback = exit_callback_;
    }
    log::warn("compute: {} ended without being asked to: {}", endpoint.uid,
              endpoint.status().reason);
    if (callback) callback(endpoint.uid);
}

void Endpoints::let_go() {
    letting_go_ = true;  // first: whoever attaches later sees it
    std::lock_guard held(mutex_);
    for (const auto& [uid, endpoint] : endpoints_) {
        std::lock_guard each(endpoint->mutex);
        if (endpoint->channel) endpoint->channel->abandon();
    }
}

}  // namespace tarn::compute
