#include "compute/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "sys/descriptor.h"

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

Result<void> give_away(const std::string& path, const ComputeUser& user) {
    if (!user.switches) return {};
    auto give = [&](const std::string& one) -> Result<void> {
        if (::lchown(one.c_str(), user.uid, user.gid) == 0) return {};
        return errno_error(errno, fmt::format("give {} to user {}", one, user.uid));
    };
    TRY(give(path));
    std::error_code failure;
    if (!std::filesystem::is_directory(std::filesystem::symlink_status(path, failure))) return {};
    for (std::filesystem::recursive_directory_iterator at(path, failure), end;
         !failure && at != end; at.increment(failure))
        TRY(give(at->path().string()));
    if (failure) return errno_error(failure.value(), fmt::format("walk {}", path));
    return {};
}

Result<void> give_to_owner_of(const std::string& directory, const std::string& path) {
    struct stat there {};
    if (::stat(directory.c_str(), &there) != 0)
        return errno_error(errno, fmt::format("look at {}", directory));
    return give_away(path, {there.st_uid, there.st_gid, "", ::geteuid() == 0});
}

Result<void> check_allocation(const std::string& directory) {
    auto path = directory + "/allocation_check";
    sys::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.is_open()) return {};
    bool lacks_it = ::fallocate(file.fd(), 0, 0, 1) != 0 && errno == EOPNOTSUPP;
    ::unlink(path.c_str());
    if (!lacks_it) return {};
    return error(Code::unavailable, "the file system of {} cannot reserve space (fallocate)",
                 directory)
        .with_hint("put the data directory on one that can, such as ext4, XFS or Btrfs");
}

}  // namespace tarn::compute
