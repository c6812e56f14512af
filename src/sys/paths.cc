#include "sys/paths.h"

#include <algorithm>
#include <filesystem>

namespace tarn::sys {

Result<std::string> absolute_path(const std::string& path) {
    std::error_code failure;
    std::string whole = std::filesystem::absolute(path, failure).lexically_normal();
    if (failure) return error(Code::invalid_argument, "find '{}': {}", path, failure.message());
    while (whole.size() > 1 && whole.back() == '/') whole.pop_back();
    return whole;
}

bool stays_below(std::string_view path) {
    if (path.find('\0') != path.npos) return false;
    for (size_t at = 0; at <= path.size();) {
        size_t end = std::min(path.find('/', at), path.size());
        std::string_view part = path.substr(at, end - at);
        if (part.empty() || part == "." || part == "..") return false;
        at = end + 1;
    }
    return true;
}

}  // namespace tarn::sys
