// descriptor.h: owns a file descriptor: a socket, a lock, an event. What goes through a Disk has
// files.h.
#pragma once

#include <unistd.h>

#include <utility>

namespace tarn::sys {

class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = other.release();
        }
        return *this;
    }
    ~Descriptor() { close(); }

    int fd() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }
    // Closing it is the caller's business from here on.
    int release() { return std::exchange(fd_, -1); }
    void close() {
        if (fd_ >= 0) ::close(release());
    }

  private:
    int fd_ = -1;
};

}  // namespace tarn::sys
