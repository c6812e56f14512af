#include "compute/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sys/descriptor.h"

namespace tarn::compute {

std::vector<char*> c_strings(const std::vector<std::string>& list) {
    std::vector<char*> pointers;
    pointers.reserve(list.size() + 1);
    for (const auto& text : list) pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

namespace {

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void child(int input, int output, const RunOptions& options, char* const* command,
                        char* const* environment) {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(input, 0);
    ::dup2(output, 1);
    ::dup2(output, 2);
    ::syscall(SYS_close_range, 3u, ~0u, 0u);
    if (options.user && become(*options.user) != 0) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // changing the user clears it, so it comes after
    if (::chdir("/") != 0) ::_exit(126);
    ::execve(command[0], command, environment);
    ::_exit(127);
}

std::string read_to_end(int fd) {
    std::string text;
    char buffer[4096];
    for (;;) {
        ssize_t got = ::read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return text;
        text.append(buffer, static_cast<size_t>(got));
    }
}

}  // namespace

Result<std::string> run(const RunOptions& options) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "make a pipe");
    sys::Descriptor input(::memfd_create("input", MFD_CLOEXEC));
    if (!input.is_open() || ::pwrite(input.fd(), options.input.data(), options.input.size(), 0) !=
                                static_cast<ssize_t>(options.input.size()))
        return errno_error(errno, "keep the input of a program");
    sys::Descriptor reading(ends[0]);
    sys::Descriptor writing(ends[1]);
    auto environment_list = options.environment;
    environment_list.emplace_back("PATH=/usr/local/bin:/usr/bin:/bin");
    auto command = c_strings(options.command);
    auto environment = c_strings(environment_list);
    pid_t pid = ::fork();
    if (pid < 0) return errno_error(errno, fmt::format("start {}", options.command[0]));
    if (pid == 0) child(input.fd(), writing.fd(), options, command.data(), environment.data());
    writing.close();
    std::string output = read_to_end(reading.fd());
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
    auto end = output.size() > 2000 ? output.substr(output.size() - 2000) : output;
    if (WIFSIGNALED(status))
        return error(Code::internal, "{} was ended by signal {}: {}", options.command[0],
                     WTERMSIG(status), end);
    if (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127)
        return error(Code::permission_denied, "{} cannot be executed{}{}", options.command[0],
                     options.user && options.user->switches ? " by user " : "",
                     options.user ? options.user->name : "")
            .with_hint("every directory above it must be open to that user");
    return error(Code::internal, "{} exited with {}: {}", options.command[0], WEXITSTATUS(status),
                 end);
}

}  // namespace tarn::compute
