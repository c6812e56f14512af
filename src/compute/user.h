// user.h: the unprivileged user that computes run as, and how a privileged server acts as that
// user.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace tarn::compute {

struct ComputeUser {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string name;
    bool switches = false;  // the server runs as root and must become this user
};

// The named user, else the first of `tarn`, `postgres`, `nobody`. A server that is not root stays
// who it is.
Result<ComputeUser> find_compute_user(const std::string& name);

// Whether that user, whoever this process is, can pass all directories above `path` and use what is
// there: X_OK to run a program or enter a directory, R_OK to read a file. permission_denied, naming
// the first of them that is closed to it.
Result<void> check_access(const ComputeUser& user, const std::string& path, int mode);

// "user postgres", or "user id 1234" of one without a name.
std::string user_text(uid_t uid);

// For a child between fork and exec: async-signal-safe. 0 or -errno.
int become(const ComputeUser& user);

// While it lives, this thread touches files as the compute user: what the server makes in the store
// belongs to the processes that go on with it.
class ActAs {
  public:
    explicit ActAs(const ComputeUser& user);
    ~ActAs();
    ActAs(const ActAs&) = delete;
    ActAs& operator=(const ActAs&) = delete;

  private:
    bool active_;
};

}  // namespace tarn::compute
