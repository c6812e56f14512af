// files.h: the small things a compute does with files that need not survive a power cut, and the
// one (replace_durably) that must.
//
// PGDATA, sockets, specs and logs are scratch: they are made anew from the store, so nothing here
// syncs unless its name says so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/disk.h"

namespace tarn::compute {

// Owns a descriptor.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept;
    ~Fd() { close(); }

    int get() const { return fd_; }
    bool valid() const { return fd_ >= 0; }
    int release() {
        int fd = fd_;
        fd_ = -1;
        return fd;
    }
    void close();

  private:
    int fd_ = -1;
};

bool exists(const std::string& path);
Result<std::string> read_file(const std::string& path);
Result<void> write_file(const std::string& path, std::string_view contents, mode_t mode = 0600);
// Readers see the old or the new contents, also after a power cut.
Result<void> replace_durably(sys::Disk& disk, const std::string& path, std::string_view contents,
                             sys::SyncSite data, sys::SyncSite directory);
// Makes the directory and its parents; one that is there is fine.
Result<void> make_directories(const std::string& path, mode_t mode = 0700);
// Removes file or directory whole; missing is fine.
Result<void> remove_tree(const std::string& path);
// Names in a directory, without "." and "..", sorted; empty when there is no such directory.
Result<std::vector<std::string>> list_directory(const std::string& path);

}  // namespace tarn::compute
