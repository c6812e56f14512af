// instance_lock.h: one server for a data directory.
#pragma once

#include <string>

#include "base/result.h"
#include "sys/descriptor.h"

namespace tarn {

// Held by the server while it lives; the kernel lets go of it however the server ends.
class InstanceLock {
  public:
    // Makes the directory if need be. unavailable, naming the process, if another server has it.
    static Result<InstanceLock> take(const std::string& data_directory);

  private:
    explicit InstanceLock(sys::Descriptor file) : file_(std::move(file)) {}
    sys::Descriptor file_;
};

}  // namespace tarn
