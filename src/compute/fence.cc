#include "compute/fence.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/log.h"
#include "base/number.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::compute {

std::string lineage_lock_path(const std::string& store_root, uint64_t lineage) {
    return std::string(store::lineage_directory(store_root.c_str(), lineage).text) + "/lock";
}

namespace {

std::vector<pid_t> processes() {
    std::vector<pid_t> found;
    DIR* directory = ::opendir("/proc");
    if (!directory) return found;
    while (const dirent* entry = ::readdir(directory)) {
        if (auto pid = parse_number<pid_t>(entry->d_name)) found.push_back(*pid);
    }
    ::closedir(directory);
    return found;
}

// From /proc/<pid>/stat, "<pid> (<name>) <state> <parent> ...": a list of a process's children
// (/proc/<pid>/task/<tid>/children) is there only in kernels built with CONFIG_PROC_CHILDREN.
pid_t parent_of(pid_t pid) {
    auto text = sys::read_file(sys::real_disk(), fmt::format("/proc/{}/stat", pid));
    // The name may hold anything, parentheses and blanks too.
    size_t name_end = text ? text->rfind(')') : std::string::npos;
    constexpr size_t kToParent = 4;  // ") S "
    if (name_end == std::string::npos || name_end + kToParent > text->size()) return 0;
    pid_t parent = 0;
    std::from_chars(text->data() + name_end + kToParent, text->data() + text->size(), parent);
    return parent;
}

bool has_open(const std::string& process, const struct stat& wanted) {
    std::string path = process + "/fd";
    DIR* directory = ::opendir(path.c_str());
    if (!directory) return false;  // ended, or another user's: that one cannot write the store
    bool found = false;
    while (const dirent* entry = ::readdir(directory)) {
        struct stat status {};
        if (entry->d_name[0] == '.' ||
            ::fstatat(::dirfd(directory), entry->d_name, &status, 0) != 0)
            continue;
        if (status.st_dev == wanted.st_dev && status.st_ino == wanted.st_ino) {
            found = true;
            break;
        }
    }
    ::closedir(directory);
    return found;
}

// Waits for a process that is not our child; false when time is up.
bool wait_for_end(pid_t pid, std::chrono::milliseconds limit) {
    sys::Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!handle.is_open()) return true;
    pollfd ready{handle.fd(), POLLIN, 0};
    return ::poll(&ready, 1, static_cast<int>(limit.count())) > 0;
}

bool try_lock(int fd) {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    return ::fcntl(fd, F_OFD_SETLK, &range) == 0;
}

}  // namespace

bool is_held(const std::string& path) {
    sys::Descriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    return fd.is_open() && ::fcntl(fd.fd(), F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK;
}

std::vector<pid_t> holders(const std::string& path) {
    std::vector<pid_t> found;
    struct stat wanted {};
    if (::stat(path.c_str(), &wanted) != 0) return found;
    for (pid_t pid : processes())
        if (pid != ::getpid() && has_open(fmt::format("/proc/{}", pid), wanted))
            found.push_back(pid);
    return found;
}

Result<sys::Descriptor> seize_lock(const std::string& path, std::chrono::milliseconds limit) {
    sys::Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
    if (!fd.is_open()) return errno_error(errno, fmt::format("open lock {}", path));
    auto deadline = std::chrono::steady_clock::now() + limit;
    while (!try_lock(fd.fd())) {
        if (errno != EAGAIN && errno != EACCES)
            return errno_error(errno, fmt::format("lock {}", path));
        auto in_the_way = holders(path);
        for (pid_t pid : in_the_way) {
            log::warn("compute: process {} of an earlier compute holds {}: killed", pid, path);
            ::kill(pid, SIGKILL);
        }
        for (pid_t pid : in_the_way) {
            auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0 || !wait_for_end(pid, left))
                return error(Code::timed_out, "process {} holds {} and cannot be killed", pid, path)
                    .with_hint("it may hang in the kernel on its disk; see its state in /proc");
        }
        if (in_the_way.empty() && std::chrono::steady_clock::now() > deadline)
            return error(Code::timed_out, "{} is locked by a process that this user cannot see",
                         path);
    }
    return fd;
}

void kill_children() {
    for (;;) {
        int killed = 0;
        for (pid_t pid : processes())
            if (parent_of(pid) == ::getpid() && ::kill(pid, SIGKILL) == 0) ++killed;
        // All of them before the next look, which reads every process of the machine.
        do {
            if (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) return;
        } while (--killed > 0);
    }
}

}  // namespace tarn::compute
