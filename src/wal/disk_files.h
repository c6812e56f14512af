// disk_files.h: whole-file helpers over the Disk seam.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/disk.h"

namespace tarn::wal {

// Closes a descriptor of the disk.
class DiskFile {
  public:
    DiskFile(sys::Disk& disk, int fd) : disk_(disk), fd_(fd) {}
    DiskFile(const DiskFile&) = delete;
    DiskFile& operator=(const DiskFile&) = delete;
    ~DiskFile() {
        if (fd_ >= 0) disk_.close(fd_);
    }
    int fd() const { return fd_; }

  private:
    sys::Disk& disk_;
    int fd_;
};

// Names in a directory, sorted; none when there is no such directory.
Result<std::vector<std::string>> list_names(sys::Disk& disk, const std::string& path);
Result<std::string> read_whole(sys::Disk& disk, const std::string& path);
// All of `size` bytes or fewer at the end of the file.
Result<size_t> read_some(sys::Disk& disk, int fd, void* data, size_t size, uint64_t offset);
Result<void> write_fully(sys::Disk& disk, int fd, std::string_view data, uint64_t offset);

}  // namespace tarn::wal
