#include "compute/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "compute/postgres_process.h"
#include "compute/run.h"
#include "compute/supervisor.h"

namespace tarn::compute {

namespace {

// Between fork and exec of a process with threads: async-signal-safe calls only.
[[noreturn]] void become_supervisor(int control, int log, const ComputeUser& user,
                                    char* const* command, char* const* environment) {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) ::signal(signal, SIG_DFL);
    ::setsid();
    int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(input, 0);
    ::dup2(log, 1);
    ::dup2(log, 2);
    // dup2 onto itself would leave the close-on-exec flag.
    if (control == kControlDescriptor)
        ::fcntl(control, F_SETFD, 0);
    else
        ::dup2(control, kControlDescriptor);
    ::syscall(SYS_close_range, kControlDescriptor + 1u, ~0u, 0u);
    if (become(user) != 0 || ::chdir("/") != 0) ::_exit(126);
    ::execve(command[0], command, environment);
    ::_exit(127);
}

}  // namespace

Result<SpawnedSupervisor> spawn_supervisor(const std::vector<std::string>& command,
                                           const std::string& log_file, const ComputeUser& user) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return errno_error(errno, "make a control connection");
    sys::Descriptor ours(ends[0]);
    sys::Descriptor theirs(ends[1]);
    sys::Descriptor log;
    {
        ActAs acting(user);
        rotate_log(log_file);
        log = sys::Descriptor(
            ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    }
    if (!log.is_open()) return errno_error(errno, fmt::format("open {}", log_file));
    std::vector<std::string> environment_list{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"};
    auto arguments = c_strings(command);
    auto environment = c_strings(environment_list);
    off_t log_begin = ::lseek(log.fd(), 0, SEEK_END);
    pid_t pid = ::fork();
    if (pid < 0) return errno_error(errno, "start a supervisor");
    if (pid == 0)
        become_supervisor(theirs.fd(), log.fd(), user, arguments.data(), environment.data());
    return SpawnedSupervisor{pid, std::move(ours), log_begin};
}

}  // namespace tarn::compute
