#include "compute/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

namespace tarn::compute {

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = other.release();
    }
    return *this;
}

void Fd::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

bool exists(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
}

Result<std::string> read_file(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return errno_error(errno, fmt::format("open {}", path));
    std::string contents;
    char buffer[16384];
    for (;;) {
        ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno_error(errno, fmt::format("read {}", path));
        if (got == 0) return contents;
        contents.append(buffer, static_cast<size_t>(got));
    }
}

namespace {

Result<void> write_all(int fd, std::string_view contents, const std::string& path) {
    while (!contents.empty()) {
        ssize_t written = ::write(fd, contents.data(), contents.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno_error(errno, fmt::format("write {}", path));
        contents.remove_prefix(static_cast<size_t>(written));
    }
    return {};
}

}  // namespace

Result<void> write_file(const std::string& path, std::string_view contents, mode_t mode) {
    Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!fd.valid()) return errno_error(errno, fmt::format("create {}", path));
    return write_all(fd.get(), contents, path);
}

Result<void> replace_durably(sys::Disk& disk, const std::string& path, std::string_view contents,
                             sys::SyncSite data, sys::SyncSite directory) {
    std::string temporary = path + ".new";
    int fd = disk.open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return errno_error(-fd, fmt::format("create {}", temporary));
    int64_t done = 0;
    while (done >= 0 && static_cast<size_t>(done) < contents.size()) {
        auto rest = contents.substr(static_cast<size_t>(done));
        int64_t written = disk.pwrite(fd, rest.data(), rest.size(), done);
        done = written < 0 ? written : done + written;
    }
    int failure = done < 0 ? static_cast<int>(done) : disk.sync(fd, data);
    disk.close(fd);
    if (failure >= 0) failure = disk.rename(temporary.c_str(), path.c_str());
    if (failure >= 0)
        failure = disk.sync_directory(path.substr(0, path.rfind('/')).c_str(), directory);
    if (failure < 0) return errno_error(-failure, fmt::format("write {} durably", path));
    return {};
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

Result<void> remove_tree(const std::string& path) {
    std::error_code failure;
    std::filesystem::remove_all(path, failure);
    if (failure && failure.value() != ENOENT)
        return errno_error(failure.value(), fmt::format("remove {}", path));
    return {};
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
    std::vector<std::string> names;
    DIR* directory = ::opendir(path.c_str());
    if (!directory) {
        if (errno == ENOENT) return names;
        return errno_error(errno, fmt::format("list {}", path));
    }
    while (const dirent* entry = ::readdir(directory)) {
        std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(directory);
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace tarn::compute
