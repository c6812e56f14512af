// faulty_disk.h: the machine's disk for tests, of which chosen calls fail. One thread.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "sys/disk.h"

namespace tarn::sys {

class FaultyDisk final : public Disk {
  public:
    // One read, or write, of a file whose path ends so answers `failure` (-errno): the one after
    // `before` others.
    void fail_read(std::string end, int failure, int before) { read_ = {end, failure, before}; }
    void fail_write(std::string end, int failure, int before) { write_ = {end, failure, before}; }
    // Has each that was to fail done so?
    bool has_failed() const { return read_.failure == 0 && write_.failure == 0; }

    int open(const char* path, int flags, mode_t mode) override {
        int fd = disk_.open(path, flags, mode);
        if (fd >= 0) paths_[fd] = path;
        return fd;
    }
    int close(int fd) override { return disk_.close(fd); }
    int64_t pread(int fd, void* data, size_t size, int64_t offset) override {
        int failure = fault(read_, fd);
        return failure < 0 ? failure : disk_.pread(fd, data, size, offset);
    }
    int64_t preadv(int fd, const iovec* parts, int count, int64_t offset) override {
        int failure = fault(read_, fd);
        return failure < 0 ? failure : disk_.preadv(fd, parts, count, offset);
    }
    int64_t preadv_cached(int fd, const iovec* parts, int count, int64_t offset) override {
        return disk_.preadv_cached(fd, parts, count, offset);
    }
    int64_t pwrite(int fd, const void* data, size_t size, int64_t offset) override {
        int failure = fault(write_, fd);
        return failure < 0 ? failure : disk_.pwrite(fd, data, size, offset);
    }
    int64_t pwritev(int fd, const iovec* parts, int count, int64_t offset) override {
        int failure = fault(write_, fd);
        return failure < 0 ? failure : disk_.pwritev(fd, parts, count, offset);
    }
    int sync(int fd, SyncSite site) override { return disk_.sync(fd, site); }
    int allocate(int fd, int64_t offset, int64_t size) override {
        return disk_.allocate(fd, offset, size);
    }
    int punch(int fd, int64_t offset, int64_t size) override {
        return disk_.punch(fd, offset, size);
    }
    int truncate(int fd, int64_t size) override { return disk_.truncate(fd, size); }
    int64_t size(int fd) override { return disk_.size(fd); }
    const void* map(int fd, size_t size) override { return disk_.map(fd, size); }
    void will_need(int fd, int64_t offset, int64_t size) override {
        disk_.will_need(fd, offset, size);
    }
    void write_back(int fd, int64_t offset, int64_t size) override {
        disk_.write_back(fd, offset, size);
    }
    int rename(const char* from, const char* to) override { return disk_.rename(from, to); }
    int link(const char* from, const char* to) override { return disk_.link(from, to); }
    int unlink(const char* path) override { return disk_.unlink(path); }
    int make_directory(const char* path, mode_t mode) override {
        return disk_.make_directory(path, mode);
    }
    int remove_directory(const char* path) override { return disk_.remove_directory(path); }
    int sync_directory(const char* path, SyncSite site) override {
        return disk_.sync_directory(path, site);
    }
    int list(const char* path, void (*visit)(void* context, const char* name),
             void* context) override {
        return disk_.list(path, visit, context);
    }

  private:
    struct Fault {
        std::string end;
        int failure = 0;  // 0: none any more
        int before = 0;
    };
    int fault(Fault& fault, int fd) {
        if (fault.failure == 0 || !paths_[fd].ends_with(fault.end)) return 0;
        if (fault.before-- > 0) return 0;
        return std::exchange(fault.failure, 0);
    }

    Disk& disk_ = real_disk();
    std::map<int, std::string> paths_;
    Fault read_, write_;
};

}  // namespace tarn::sys
