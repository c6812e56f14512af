#include "compute/files.h"

#include <sys/stat.h>

#include <cerrno>

namespace tarn::compute {

bool exists(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

Result<void> make_directories(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) == 0) return {};
    if (errno == EEXIST) {
        struct stat status {};
        if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
        return errno_error(ENOTDIR, fmt::format("make directory {}", path));
    }
    int failure = errno;
    auto slash = path.rfind('/');
    if (failure != ENOENT || slash == std::string::npos || slash == 0)
        return errno_error(failure, fmt::format("make directory {}", path));
    TRY(make_directories(path.substr(0, slash), mode));
    if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
        return errno_error(errno, fmt::format("make directory {}", path));
    return {};
}

}  // namespace tarn::compute
