#include "compute/layout.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>

#include "compute/files.h"

namespace tarn::compute {

std::string Layout::run_directory(std::string_view uid) const {
    std::string path = endpoint(uid) + "/run";
    if (path.size() + 1 + kSocketName.size() <= kSocketPathBytes) return path;
    return fmt::format("/tmp/tarn-{:016x}/{}", std::hash<std::string>{}(data_), uid);
}

Result<void> check_endpoint_uid(std::string_view uid) {
    auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    if (uid.empty() || uid.size() > 63 || !std::all_of(uid.begin(), uid.end(), fits))
        return error(Code::invalid_argument, "endpoint uid `{}` is not a name of a-z, 0-9 and -",
                     uid);
    return {};
}

Result<uint64_t> parse_lineage_id(std::string_view text) {
    uint64_t value = 0;
    bool good = text.size() == 16;
    for (char c : text) {
        bool digit = c >= '0' && c <= '9';
        good = good && (digit || (c >= 'a' && c <= 'f'));
        value = value << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
    if (!good || value == 0)
        return error(Code::invalid_argument,
                     "lineage id `{}` is not 16 lower-case hexadecimal digits", text);
    return value;
}

std::string lineage_text(uint64_t lineage) {
    return fmt::format("{:016x}", lineage);
}

namespace {

Result<void> check_private(const std::string& path, uid_t owner) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0)
        return errno_error(errno, fmt::format("look at {}", path));
    if (!S_ISDIR(status.st_mode) || status.st_uid != owner || (status.st_mode & 077) != 0)
        return error(Code::permission_denied, "directory {} for sockets is not private to user {}",
                     path, owner)
            .with_hint("remove it, or use a data directory with a shorter path");
    return {};
}

}  // namespace

Result<void> make_run_directory(const std::string& path, uid_t owner) {
    if (path.size() + 1 + kSocketName.size() > kSocketPathBytes)
        return error(Code::invalid_argument, "socket directory {} is longer than {} bytes", path,
                     kSocketPathBytes - 1 - kSocketName.size())
            .with_hint("use a data directory with a shorter path");
    TRY(make_directories(path, 0700));
    if (path.starts_with("/tmp/tarn-")) TRY(check_private(path.substr(0, path.rfind('/')), owner));
    return check_private(path, owner);
}

}  // namespace tarn::compute
