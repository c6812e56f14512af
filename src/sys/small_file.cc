#include "sys/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "sys/descriptor.h"

namespace tarn::sys {
namespace {

Error failed(const char* doing, const std::string& path) {
    return errno_error(errno, fmt::format("{} {}", doing, path));
}

Result<void> write_all(const Descriptor& file, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        ssize_t count = write(file.fd(), bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR) return failed("write", path);
        if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
    }
    if (fsync(file.fd()) != 0) return failed("sync", path);
    return {};
}

Result<void> sync_directory_of(const std::string& path) {
    size_t slash = path.rfind('/');
    std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    Descriptor file(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!file.is_open()) return failed("open", directory);
    if (fsync(file.fd()) != 0) return failed("sync", directory);
    return {};
}

std::string unfinished(const std::string& path) {
    return path + ".new";
}

Result<void> write_unfinished(const std::string& path, std::string_view bytes, mode_t mode) {
    std::string name = unfinished(path);
    // What a crash left behind may have another mode.
    (void)unlink(name.c_str());
    Descriptor file(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file.is_open()) return failed("create", name);
    // The mode is meant as given, whatever the umask.
    if (fchmod(file.fd(), mode) != 0) return failed("set the mode of", name);
    return write_all(file, bytes, name);
}

Result<void> put_in_place(const std::string& path) {
    if (std::rename(unfinished(path).c_str(), path.c_str()) != 0)
        return failed("put in place", path);
    return {};
}

}  // namespace

Result<std::optional<std::string>> read_small_file(const std::string& path) {
    Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open() && errno == ENOENT) return std::optional<std::string>();
    if (!file.is_open()) return failed("open", path);
    std::string bytes;
    char piece[8192];
    while (bytes.size() <= kSmallFileBytesMax) {
        ssize_t count = read(file.fd(), piece, sizeof piece);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return failed("read", path);
        if (count == 0) return std::optional<std::string>(std::move(bytes));
        bytes.append(piece, static_cast<size_t>(count));
    }
    return error(Code::too_large, "read {}: it has more than {} bytes", path, kSmallFileBytesMax);
}

Result<void> write_small_file(const std::string& path, std::string_view bytes, mode_t mode) {
    TRY(write_unfinished(path, bytes, mode));
    TRY(put_in_place(path));
    return sync_directory_of(path);
}

Result<void> write_small_files(const std::vector<SmallFile>& files, mode_t mode) {
    for (const SmallFile& file : files) TRY(write_unfinished(file.path, file.bytes, mode));
    for (const SmallFile& file : files) TRY(put_in_place(file.path));
    return files.empty() ? Result<void>() : sync_directory_of(files.front().path);
}

}  // namespace tarn::sys
