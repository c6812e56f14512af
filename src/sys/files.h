// files.h: whole files and directories over a Disk, with errors that name the path.
//
// Everything durable is made by create_durably(): beside its name, synced, renamed, and its
// directory synced. Whoever finds the name finds the whole file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/disk.h"

namespace tarn::sys {

// Of a file's name while it is being written.
inline constexpr std::string_view kUnfinishedSuffix = ".tmp";

// An open file that is closed with the object.
class File {
  public:
    static Result<File> open(Disk& disk, const std::string& path, int flags, mode_t mode = 0600);
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    ~File();

    int fd() const { return fd_; }
    const std::string& path() const { return path_; }
    Result<uint64_t> size() const;
    // All of the bytes; data_loss if the file ends before.
    Result<void> read(void* data, size_t size, uint64_t offset) const;
    // At most `size` bytes: fewer only at the end of the file.
    Result<size_t> read_some(void* data, size_t size, uint64_t offset) const;
    Result<void> write(const void* data, size_t size, uint64_t offset) const;
    Result<void> sync(SyncSite site) const;

  private:
    File(Disk& disk, int fd, std::string path) : disk_(&disk), fd_(fd), path_(std::move(path)) {}

    Disk* disk_;
    int fd_;
    std::string path_;
};

// All of it, to its end: the size that the system tells is not asked (files of /proc have none).
Result<std::string> read_file(Disk& disk, const std::string& path);
// Makes the file at `path`; already_exists if there is one. After a failure there is none, but a
// power loss may bring it back, whole.
Result<void> create_durably(Disk& disk, const std::string& path, std::string_view bytes,
                            SyncSite data, SyncSite directory);
// The same, in place of what is there. After a failure, or a power loss, there is the one or the
// other.
Result<void> replace_durably(Disk& disk, const std::string& path, std::string_view bytes,
                             SyncSite data, SyncSite directory);
// Writes without any sync: for scratch files that no crash needs to keep.
Result<void> write_scratch(Disk& disk, const std::string& path, std::string_view bytes);

Result<bool> exists(Disk& disk, const std::string& path);
// Names in the directory, sorted.
Result<std::vector<std::string>> list_names(Disk& disk, const std::string& path);
// The same; none when there is no such directory.
Result<std::vector<std::string>> list_names_if_any(Disk& disk, const std::string& path);

// Makes one directory, without any sync; one that is there is fine.
Result<void> make_directory(Disk& disk, const std::string& path, mode_t mode = 0700);
// Makes the directory and those above it; those that are there already are fine. The names of new
// ones are durable afterwards.
Result<void> make_directories(Disk& disk, const std::string& path, SyncSite site,
                              mode_t mode = 0700);
Result<void> sync_directory(Disk& disk, const std::string& path, SyncSite site);
// Removes what is at `path`, with everything below it; nothing there is fine. Not synced: after a
// power cut some of it may be back.
Result<void> remove_tree(Disk& disk, const std::string& path);

}  // namespace tarn::sys
