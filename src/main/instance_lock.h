// instance_lock.h: one server for a data directory.
#pragma once

#include <string>

#include "base/result.h"

namespace tarn {

// Held by the server while it lives; the kernel lets go of it however the server ends.
class InstanceLock {
  public:
    // Makes the directory if need be. unavailable, naming the process, if another server has it.
    static Result<InstanceLock> take(const std::string& data_directory);
    InstanceLock(InstanceLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    InstanceLock& operator=(InstanceLock&&) = delete;
    ~InstanceLock();

  private:
    explicit InstanceLock(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace tarn
