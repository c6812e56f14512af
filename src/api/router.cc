#include "api/router.h"

namespace tarn::api {

namespace {

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> segments;
    if (path.starts_with('/')) path.remove_prefix(1);
    for (;;) {
        size_t slash = path.find('/');
        segments.emplace_back(path.substr(0, slash));
        if (slash == path.npos) return segments;
        path.remove_prefix(slash + 1);
    }
}

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& segments,
          std::vector<std::string>& captures) {
    if (pattern.size() != segments.size()) return false;
    captures.clear();
    for (size_t i = 0; i < pattern.size(); ++i) {
        if (!pattern[i].starts_with('*')) {
            if (pattern[i] != segments[i]) return false;
            continue;
        }
        std::string_view verb = std::string_view(pattern[i]).substr(1);
        if (segments[i].size() <= verb.size() || !segments[i].ends_with(verb)) return false;
        captures.push_back(segments[i].substr(0, segments[i].size() - verb.size()));
    }
    return true;
}

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, Access access,
                 Handler handler) {
    routes_.push_back({std::string(method), split(pattern), access, std::move(handler)});
}

std::variant<Router::Match, Router::WrongMethod, Router::NoRoute> Router::find(
    std::string_view method, std::string_view path) const {
    std::vector<std::string> segments = split(path);
    std::vector<std::string> captures;
    std::string allowed;
    for (const Route& route : routes_) {
        if (!fits(route.segments, segments, captures)) continue;
        if (route.method == method) return Match{&route.handler, route.access, std::move(captures)};
        if (allowed.find(route.method) != allowed.npos) continue;
        allowed += (allowed.empty() ? "" : ", ") + route.method;
    }
    if (allowed.empty()) return NoRoute{};
    return WrongMethod{std::move(allowed)};
}

}  // namespace tarn::api
