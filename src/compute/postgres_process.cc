#include "compute/postgres_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "compute/run.h"
#include "sys/descriptor.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

constexpr off_t kLogBytesMax = 16 << 20;
constexpr int kStatusLine = 8;  // of postmaster.pid

[[noreturn]] void become_postgres(const PostgresLaunch& launch, int log, pid_t parent,
                                  char* const* command, char* const* environment) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(125);  // it died before the line above
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    int input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(input, 0);
    ::dup2(log, 1);
    ::dup2(log, 2);
    for (int fd : launch.inherited) ::fcntl(fd, F_SETFD, 0);
    ::execve(command[0], command, environment);
    ::_exit(127);
}

}  // namespace

Result<PostgresProcess> launch_postgres(const PostgresLaunch& launch) {
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    sys::Descriptor log(::open(launch.log_file.c_str(), flags, 0600));
    if (!log.is_open()) return errno_error(errno, fmt::format("open {}", launch.log_file));
    auto command = c_strings(launch.command);
    auto environment = c_strings(launch.environment);
    pid_t parent = ::getpid();
    PostgresProcess process;
    process.log_begin = ::lseek(log.fd(), 0, SEEK_END);
    process.pid = ::fork();
    if (process.pid < 0) return errno_error(errno, "start postgres");
    if (process.pid == 0)
        become_postgres(launch, log.fd(), parent, command.data(), environment.data());
    return process;
}

std::string postmaster_line(const std::string& pgdata, int number) {
    auto text = sys::read_file(sys::real_disk(), pgdata + "/postmaster.pid");
    if (!text) return "";
    size_t at = 0;
    for (int line = 1; line < number; ++line) {
        at = text->find('\n', at);
        if (at == std::string::npos) return "";
        ++at;
    }
    return text->substr(at, text->find('\n', at) - at);
}

std::string postmaster_status(const std::string& pgdata) {
    auto status = postmaster_line(pgdata, kStatusLine);
    while (!status.empty() && status.back() == ' ') status.pop_back();
    return status;
}

std::string last_complaint(const std::string& log_file, off_t begin) {
    auto text = sys::read_file(sys::real_disk(), log_file);
    if (!text || static_cast<size_t>(begin) > text->size()) return "";
    std::string_view lines = std::string_view(*text).substr(static_cast<size_t>(begin));
    while (lines.ends_with('\n')) lines.remove_suffix(1);
    auto line_at = [&](size_t at) { return lines.substr(at, lines.find('\n', at) - at); };
    size_t at = lines.npos;
    for (std::string_view severity : {"FATAL:  ", "PANIC:  "}) {
        size_t last = lines.rfind(severity);
        if (last != lines.npos && (at == lines.npos || last > at)) at = last;
    }
    if (at == lines.npos) return std::string(line_at(lines.rfind('\n') + 1));
    // "configuration file ... contains errors": which, the first line says.
    size_t first = lines.find("LOG:  ");
    if (line_at(at).ends_with("contains errors") && first != lines.npos) at = first;
    return std::string(line_at(at));
}

void rotate_log(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && status.st_size > kLogBytesMax)
        ::rename(path.c_str(), (path + ".1").c_str());
}

}  // namespace tarn::compute
