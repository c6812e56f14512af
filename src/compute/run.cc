#include "compute/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/log.h"
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

std::string complaint_in(std::string_view output) {
    std::string_view last;
    while (!output.empty()) {
        auto line = output.substr(0, output.find('\n'));
        output.remove_prefix(std::min(line.size() + 1, output.size()));
        for (std::string_view word : {"ERROR: ", "FATAL: ", "PANIC: ", "error: "})
            if (line.find(word) != line.npos) return std::string(line.substr(line.find(word)));
        if (!line.empty()) last = line;
    }
    return std::string(last);
}

}  // namespace

Result<ProgramEnd> run_to_end(const RunOptions& options) {
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
    const std::string& program = options.command[0];
    if (WIFSIGNALED(status))
        return ProgramEnd{false,
                          fmt::format("{} was ended by signal {}", program, WTERMSIG(status)),
                          std::move(output)};
    if (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127)
        return error(Code::permission_denied, "{} cannot be executed{}{}", program,
                     options.user && options.user->switches ? " by user " : "",
                     options.user ? options.user->name : "")
            .with_hint("every directory above it must be open to that user");
    return ProgramEnd{WEXITSTATUS(status) == 0,
                      fmt::format("{} exited with {}", program, WEXITSTATUS(status)),
                      std::move(output)};
}

Result<std::string> run(const RunOptions& options) {
    auto end = TRY(run_to_end(options));
    if (end.good) return std::move(end.output);
    return program_error(end.how, end.output);
}

Error program_error(std::string_view what, std::string_view output) {
    log::debug("compute: {}; it printed:\n{}", what, output);
    for (int full : {ENOSPC, EDQUOT})
        if (output.find(std::generic_category().message(full)) != output.npos)
            return errno_error(full, what);
    return error(Code::internal, "{}: {}", what, complaint_in(output));
}

}  // namespace tarn::compute
