#include "sys/files.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace tarn::sys {

namespace {

constexpr size_t kFirstRead = 16 << 10;

Error failed(int result, std::string_view doing, const std::string& path) {
    return errno_error(-result, fmt::format("{} {}", doing, path));
}

std::string parent_of(const std::string& path) {
    size_t slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_new(Disk& disk, const std::string& path, std::string_view bytes) {
    File file = TRY(File::open(disk, path, O_WRONLY | O_CREAT | O_TRUNC));
    return file.write(bytes.data(), bytes.size(), 0);
}

Result<void> write_beside_and_rename(Disk& disk, const std::string& path, const std::string& beside,
                                     std::string_view bytes, SyncSite data) {
    File file = TRY(File::open(disk, beside, O_WRONLY | O_CREAT | O_TRUNC));
    TRY(file.write(bytes.data(), bytes.size(), 0));
    TRY(file.sync(data));
    int result = disk.rename(beside.c_str(), path.c_str());
    if (result < 0) return failed(result, "rename to", path);
    return {};
}

// Puts synced bytes in place of what is at `path`, by a name that is not durable yet.
Result<void> put_in_place(Disk& disk, const std::string& path, std::string_view bytes,
                          SyncSite data) {
    std::string beside = path + std::string(kUnfinishedSuffix);
    auto written = write_beside_and_rename(disk, path, beside, bytes, data);
    // Nobody looks at a leftover, and the next attempt begins by emptying it.
    if (!written) disk.unlink(beside.c_str());
    return written;
}

}  // namespace

Result<File> File::open(Disk& disk, const std::string& path, int flags, mode_t mode) {
    int fd = disk.open(path.c_str(), flags, mode);
    if (fd < 0) return failed(fd, "open", path);
    return File(disk, fd, path);
}

File::File(File&& other) noexcept
    : disk_(other.disk_), fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
    std::swap(disk_, other.disk_);
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    return *this;
}

File::~File() {
    // What must be durable has been synced: a failing close has nothing more to say.
    if (fd_ >= 0) disk_->close(fd_);
}

Result<uint64_t> File::size() const {
    int64_t size = disk_->size(fd_);
    if (size < 0) return failed(static_cast<int>(size), "ask the size of", path_);
    return static_cast<uint64_t>(size);
}

Result<size_t> File::read_some(void* data, size_t size, uint64_t offset) const {
    size_t done = 0;
    while (done < size) {
        int64_t part = disk_->pread(fd_, static_cast<char*>(data) + done, size - done,
                                    static_cast<int64_t>(offset + done));
        if (part < 0) return failed(static_cast<int>(part), "read", path_);
        if (part == 0) break;
        done += static_cast<size_t>(part);
    }
    return done;
}

Result<void> File::read(void* data, size_t size, uint64_t offset) const {
    size_t done = TRY(read_some(data, size, offset));
    if (done < size)
        return error(Code::data_loss, "read {}: it ends at byte {}, {} bytes were expected", path_,
                     offset + done, offset + size);
    return {};
}

Result<void> File::write(const void* data, size_t size, uint64_t offset) const {
    for (size_t done = 0; done < size;) {
        int64_t part = disk_->pwrite(fd_, static_cast<const char*>(data) + done, size - done,
                                     static_cast<int64_t>(offset + done));
        if (part <= 0) return failed(part < 0 ? static_cast<int>(part) : -EIO, "write", path_);
        done += static_cast<size_t>(part);
    }
    return {};
}

Result<void> File::sync(SyncSite site) const {
    int result = disk_->sync(fd_, site);
    if (result < 0) return failed(result, "sync", path_);
    return {};
}

Result<std::string> read_file(Disk& disk, const std::string& path) {
    File file = TRY(File::open(disk, path, O_RDONLY));
    std::string bytes;
    for (size_t room = kFirstRead;; room *= 2) {
        size_t done = bytes.size();
        bytes.resize(done + room);
        size_t got = TRY(file.read_some(bytes.data() + done, room, done));
        bytes.resize(done + got);
        if (got < room) return bytes;
    }
}

Result<void> create_durably(Disk& disk, const std::string& path, std::string_view bytes,
                            SyncSite data, SyncSite directory) {
    if (TRY(exists(disk, path))) return error(Code::already_exists, "create {}: it exists", path);
    TRY(put_in_place(disk, path, bytes, data));
    auto named = sync_directory(disk, parent_of(path), directory);
    // A name that is there, but not for good, would be taken for a promise.
    if (!named) disk.unlink(path.c_str());
    return named;
}

Result<void> replace_durably(Disk& disk, const std::string& path, std::string_view bytes,
                             SyncSite data, SyncSite directory) {
    TRY(put_in_place(disk, path, bytes, data));
    return sync_directory(disk, parent_of(path), directory);
}

Result<void> write_scratch(Disk& disk, const std::string& path, std::string_view bytes) {
    return write_new(disk, path, bytes);
}

Result<bool> exists(Disk& disk, const std::string& path) {
    int fd = disk.open(path.c_str(), O_RDONLY, 0);
    if (fd == -ENOENT || fd == -ENOTDIR) return false;
    if (fd < 0) return failed(fd, "open", path);
    disk.close(fd);
    return true;
}

Result<std::vector<std::string>> list_names(Disk& disk, const std::string& path) {
    std::vector<std::string> names;
    int result = disk.list(
        path.c_str(),
        [](void* context, const char* name) {
            static_cast<std::vector<std::string>*>(context)->emplace_back(name);
        },
        &names);
    if (result < 0) return failed(result, "list", path);
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::vector<std::string>> list_names_if_any(Disk& disk, const std::string& path) {
    auto names = list_names(disk, path);
    if (!names && names.error().code() == Code::not_found) return std::vector<std::string>();
    return names;
}

Result<void> make_directory(Disk& disk, const std::string& path, mode_t mode) {
    int result = disk.make_directory(path.c_str(), mode);
    if (result < 0 && result != -EEXIST) return failed(result, "make directory", path);
    return {};
}

Result<void> make_directories(Disk& disk, const std::string& path, SyncSite site, mode_t mode) {
    int result = disk.make_directory(path.c_str(), mode);
    if (result == -EEXIST) return {};
    std::string parent = parent_of(path);
    if (result == -ENOENT && parent != path) {
        TRY(make_directories(disk, parent, site, mode));
        result = disk.make_directory(path.c_str(), mode);
    }
    if (result < 0 && result != -EEXIST) return failed(result, "make directory", path);
    return sync_directory(disk, parent, site);
}

Result<void> sync_directory(Disk& disk, const std::string& path, SyncSite site) {
    int result = disk.sync_directory(path.c_str(), site);
    if (result < 0) return failed(result, "sync directory", path);
    return {};
}

Result<void> remove_tree(Disk& disk, const std::string& path) {
    int result = disk.unlink(path.c_str());
    if (result == 0 || result == -ENOENT) return {};
    if (result != -EISDIR && result != -EPERM) return failed(result, "remove", path);
    // Somebody else may be removing it too.
    std::vector<std::string> names = TRY(list_names_if_any(disk, path));
    std::optional<Error> failure;
    for (const std::string& name : names)
        if (auto removed = remove_tree(disk, path + "/" + name); !removed && !failure)
            failure = std::move(removed).error();
    if (failure) return std::move(*failure);
    result = disk.remove_directory(path.c_str());
    if (result < 0 && result != -ENOENT) return failed(result, "remove directory", path);
    return {};
}

}  // namespace tarn::sys
