#include "compute/user.h"

#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace tarn::compute {

namespace {

Result<ComputeUser> unprivileged_user(const std::string& name) {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    int failure = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (failure != 0) return errno_error(failure, fmt::format("look up user {}", name));
    if (!found)
        return error(Code::not_found, "there is no user '{}' to run computes as", name)
            .with_hint(fmt::format(
                "create it (useradd --system {}), or name another with --compute-user", name));
    if (entry.pw_uid == 0)
        return error(Code::invalid_argument, "PostgreSQL refuses to run as root ({})", name)
            .with_hint("name an unprivileged user with --compute-user");
    return ComputeUser{entry.pw_uid, entry.pw_gid, name, true};
}

// "/srv/tarn": "/", "/srv", "/srv/tarn".
std::vector<std::string> way_to(const std::string& path) {
    std::vector<std::string> way{"/"};
    for (size_t slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
        way.push_back(path.substr(0, slash));
    way.push_back(path);
    return way;
}

constexpr int kCannotBecome = 255;

// In a child of its own: the number, from 1, of the first of `way` that is closed; 0 if none is.
[[noreturn]] void try_way(const ComputeUser& user, const std::vector<std::string>& way, int mode) {
    if (become(user) != 0) ::_exit(kCannotBecome);
    for (size_t i = 0; i < way.size(); ++i)
        if (::access(way[i].c_str(), i + 1 == way.size() ? mode : X_OK) != 0)
            ::_exit(static_cast<int>(i + 1));
    ::_exit(0);
}

}  // namespace

Result<ComputeUser> find_compute_user(const std::string& name) {
    if (::geteuid() != 0) return ComputeUser{::geteuid(), ::getegid(), "", false};
    if (!name.empty()) return unprivileged_user(name);
    for (const char* candidate : {"tarn", "postgres", "nobody"}) {
        auto user = unprivileged_user(candidate);
        if (user.ok() || user.error().code() != Code::not_found) return user;
    }
    return error(Code::not_found, "there is no user to run computes as")
        .with_hint("create one: useradd --system tarn");
}

std::string user_text(uid_t uid) {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    (void)::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    return found ? fmt::format("user {}", found->pw_name) : fmt::format("user id {}", uid);
}

Result<void> check_access(const ComputeUser& user, const std::string& path, int mode) {
    auto way = way_to(path);
    // The system answers for the user, with the user's groups, of the process that asks.
    pid_t pid = ::fork();
    if (pid < 0) return errno_error(errno, fmt::format("ask whether {} can be used", path));
    if (pid == 0) try_way(user, way, mode);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    size_t closed = WIFEXITED(status) ? static_cast<size_t>(WEXITSTATUS(status)) : kCannotBecome;
    if (closed > way.size())
        return error(Code::permission_denied, "this process cannot become user {}", user.name);
    const std::string& place = way[closed - 1];
    struct stat found {};
    if (::stat(place.c_str(), &found) != 0) return errno_error(errno, "look at " + place);
    const char* use = S_ISDIR(found.st_mode) ? "enter" : mode == R_OK ? "read" : "run";
    return error(Code::permission_denied, "{} cannot {} {}",
                 user.switches ? "user " + user.name : "this user", use, place)
        .with_hint(fmt::format("open it (chmod o+{} {}), or put {} elsewhere",
                               mode == R_OK && place == path ? "r" : "x", place, path));
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
