#include "main/instance_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "compute/user.h"

namespace tarn {

namespace {

// The pid that the holder wrote, for the message.
std::string holder(int fd) {
    char text[32] = {};
    ssize_t size = ::pread(fd, text, sizeof text - 1, 0);
    std::string pid(text, size > 0 ? static_cast<size_t>(size) : 0);
    return pid.substr(0, pid.find('\n'));
}

// What keeps this user from using the directory, and whose it is.
Error unusable(int number, const std::string& doing, const std::string& directory) {
    struct stat there {};
    bool of_another =
        ::stat(directory.c_str(), &there) == 0 && there.st_uid != ::geteuid() && ::geteuid() != 0;
    return errno_error(number, doing)
        .with_hint(of_another
                       ? fmt::format("{} belongs to {}: run this as that user, or choose one of "
                                     "your own with --data-dir",
                                     directory, compute::user_text(there.st_uid))
                       : "choose a data directory that you can write with --data-dir");
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::string& data_directory) {
    std::error_code failure;
    std::filesystem::create_directories(data_directory, failure);
    if (failure)
        return errno_error(failure.value(), fmt::format("make data directory {}", data_directory))
            .with_hint("choose a data directory that you can write with --data-dir");
    // Computes of an unprivileged user pass through it; what is inside has modes of its own.
    if (::geteuid() == 0 && ::chmod(data_directory.c_str(), 0755) != 0)
        return errno_error(errno,
                           fmt::format("open data directory {} to its computes", data_directory));
    std::string path = data_directory + "/server.lock";
    sys::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.is_open()) return unusable(errno, fmt::format("open {}", path), data_directory);
    struct flock whole = {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(file.fd(), F_OFD_SETLK, &whole) != 0)
        return error(Code::unavailable, "use data directory {}: process {} serves it already",
                     data_directory, holder(file.fd()))
            .with_hint("end that server first, or name another directory with --data-dir");
    std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file.fd(), 0) != 0 || ::pwrite(file.fd(), pid.data(), pid.size(), 0) < 0)
        return errno_error(errno, fmt::format("write {}", path));
    return InstanceLock(std::move(file));
}

}  // namespace tarn
