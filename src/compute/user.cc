#include "compute/user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace tarn::compute {

namespace {

Result<ComputeUser> look_up(const std::string& name) {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    int failure = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (failure != 0) return errno_error(failure, fmt::format("look up user {}", name));
    if (!found) return error(Code::not_found, "there is no user {}", name);
    return ComputeUser{entry.pw_uid, entry.pw_gid, name, true};
}

}  // namespace

Result<ComputeUser> find_compute_user(const std::string& name) {
    if (::geteuid() != 0) return ComputeUser{::geteuid(), ::getegid(), "", false};
    std::vector<std::string> candidates{"tarn", "postgres", "nobody"};
    if (!name.empty()) candidates = {name};
    for (const auto& candidate : candidates) {
        auto user = look_up(candidate);
        if (!user && user.error().code() == Code::not_found) continue;
        if (user && user->uid == 0)
            return error(Code::invalid_argument, "PostgreSQL refuses to run as root ({})",
                         candidate)
                .with_hint("name an unprivileged user for computes");
        return user;
    }
    return error(Code::not_found, "there is no user to run computes as")
        .with_hint("create one: useradd --system tarn");
}

int become(const ComputeUser& user) {
    if (!user.switches) return 0;
    if (::setgroups(0, nullptr) != 0) return -errno;
    if (::setresgid(user.gid, user.gid, user.gid) != 0) return -errno;
    if (::setresuid(user.uid, user.uid, user.uid) != 0) return -errno;
    return 0;
}

ActAs::ActAs(const ComputeUser& user) : active_(user.switches) {
    if (!active_) return;
    ::setfsgid(user.gid);
    ::setfsuid(user.uid);
}

ActAs::~ActAs() {
    if (!active_) return;
    ::setfsuid(0);
    ::setfsgid(0);
}

}  // namespace tarn::compute
