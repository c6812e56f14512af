#include "wal/disk_files.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace tarn::wal {

Result<std::vector<std::string>> list_names(sys::Disk& disk, const std::string& path) {
    std::vector<std::string> names;
    auto visit = [](void* context, const char* name) {
        static_cast<std::vector<std::string>*>(context)->emplace_back(name);
    };
    int result = disk.list(path.c_str(), visit, &names);
    if (result < 0 && result != -ENOENT) return errno_error(-result, fmt::format("list {}", path));
    std::sort(names.begin(), names.end());
    return names;
}

Result<size_t> read_some(sys::Disk& disk, int fd, void* data, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        int64_t got = disk.pread(fd, static_cast<char*>(data) + done, size - done,
                                 static_cast<int64_t>(offset + done));
        if (got < 0) return errno_error(static_cast<int>(-got), "read");
        if (got == 0) break;
        done += static_cast<size_t>(got);
    }
    return done;
}

Result<std::string> read_whole(sys::Disk& disk, const std::string& path) {
    DiskFile file(disk, disk.open(path.c_str(), O_RDONLY, 0));
    if (file.fd() < 0) return errno_error(-file.fd(), fmt::format("open {}", path));
    std::string contents;
    char buffer[16384];
    for (;;) {
        size_t got =
            TRY_CTX(read_some(disk, file.fd(), buffer, sizeof buffer, contents.size()), "{}", path);
        contents.append(buffer, got);
        if (got < sizeof buffer) return contents;
    }
}

Result<void> write_fully(sys::Disk& disk, int fd, std::string_view data, uint64_t offset) {
    while (!data.empty()) {
        int64_t written = disk.pwrite(fd, data.data(), data.size(), static_cast<int64_t>(offset));
        if (written <= 0)
            return errno_error(written < 0 ? static_cast<int>(-written) : EIO, "write");
        data.remove_prefix(static_cast<size_t>(written));
        offset += static_cast<uint64_t>(written);
    }
    return {};
}

}  // namespace tarn::wal
