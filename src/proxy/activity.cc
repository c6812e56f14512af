#include "proxy/activity.h"

namespace tarn::proxy {

std::optional<Activity::Session> Activity::open(const std::string& endpoint, size_t sessions_max,
                                                Elapsed now) {
    std::lock_guard lock(mutex_);
    std::shared_ptr<Usage>& usage = usages_[endpoint];
    if (!usage) usage = std::make_shared<Usage>();
    if (usage->sessions.load() >= sessions_max) return std::nullopt;
    usage->sessions.fetch_add(1);
    return Session(usage, now);
}

std::optional<EndpointActivity> Activity::of(const std::string& endpoint) const {
    std::lock_guard lock(mutex_);
    auto found = usages_.find(endpoint);
    if (found == usages_.end()) return std::nullopt;
    return EndpointActivity{found->second->sessions.load(), found->second->last_active.load()};
}

void Activity::forget(const std::string& endpoint) {
    std::lock_guard lock(mutex_);
    usages_.erase(endpoint);
}

}  // namespace tarn::proxy
