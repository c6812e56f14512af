#include "pg/test_cluster.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace tarn::pg::testing {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrompt = "backend> ";

// PostgreSQL refuses to run as root. 65534 is "nobody" wherever that name is missing.
passwd unprivileged() {
    if (auto* entry = getpwnam("nobody")) return *entry;
    passwd nobody{};
    nobody.pw_uid = 65534;
    nobody.pw_gid = 65534;
    return nobody;
}

// Runs in the child between fork and exec.
[[noreturn]] void exec_unprivileged(const std::vector<std::string>& command) {
    if (geteuid() == 0) {
        passwd user = unprivileged();
        if (setgroups(0, nullptr) != 0 || setgid(user.pw_gid) != 0 || setuid(user.pw_uid) != 0)
            _exit(126);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user would clear it
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    _exit(127);
}

// stdin and stdout may be -1: /dev/null and the log.
Result<pid_t> spawn(const std::vector<std::string>& command, const std::string& log, int input,
                    int output) {
    int log_fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log_fd < 0) return errno_error(errno, fmt::format("open {}", log));
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        dup2(input < 0 ? null_fd : input, 0);
        dup2(output < 0 ? log_fd : output, 1);
        dup2(log_fd, 2);
        exec_unprivileged(command);
    }
    close(log_fd);
    close(null_fd);
    if (child < 0) return errno_error(errno, "fork");
    return child;
}

std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

int wait_for(pid_t process) {
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

}  // namespace

std::optional<std::string> find_binaries(int major) {
    auto environment = [](std::string name) {
        const char* value = std::getenv(name.c_str());
        return std::string(value ? value : "");
    };
    std::vector<std::string> candidates;
    if (auto set = environment(fmt::format("TARN_TEST_PG_{}", major)); !set.empty())
        candidates.push_back(set);
    if (auto set = environment("TARN_PG_DIR"); !set.empty())
        candidates.push_back(fmt::format("{}/{}/bin", set, major));
    candidates.push_back(fmt::format("/usr/lib/postgresql/{}/bin", major));
    auto home = environment("TARN_HOME");
    if (home.empty()) home = geteuid() == 0 ? "/var/lib/tarn" : environment("HOME") + "/.tarn";
    candidates.push_back(fmt::format("{}/postgres/{}/bin", home, major));
    for (const auto& directory : candidates)
        if (access((directory + "/postgres").c_str(), X_OK) == 0 &&
            access((directory + "/initdb").c_str(), X_OK) == 0)
            return directory;
    return std::nullopt;
}

std::string missing_binaries(int major) {
    return fmt::format(
        "no PostgreSQL {0}: run script/setup, or set TARN_TEST_PG_{0} to the directory of its "
        "programs",
        major);
}

std::vector<std::byte> read_file(const std::string& path) {
    std::string text = text_of(path);
    auto* first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
}

bool write_file(const std::string& path, const void* data, size_t size) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
    return out.good();
}

Backend::Backend(Backend&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      log_path_(std::move(other.log_path_)) {}

Backend::~Backend() {
    kill();
}

Result<std::string> Backend::until_prompt() {
    std::string text;
    char piece[4096];
    while (!text.ends_with(kPrompt)) {
        ssize_t size = read(output_, piece, sizeof piece);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0)
            return error(Code::io_error, "the backend ended; its log:\n{}", text_of(log_path_));
        text.append(piece, static_cast<size_t>(size));
    }
    return text;
}

Result<std::vector<std::string>> Backend::query(std::string_view sql) {
    std::string line = fmt::format("{}\n", sql);
    for (size_t sent = 0; sent < line.size();) {
        ssize_t size = write(input_, line.data() + sent, line.size() - sent);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return errno_error(errno, fmt::format("send \"{}\" to the backend", sql));
        sent += static_cast<size_t>(size);
    }
    std::string text = TRY_CTX(until_prompt(), "run \"{}\"", sql);
    // A value's line: `\t 1: name = "value"\t(typeid = 25, len = ...`.
    std::vector<std::string> values;
    for (size_t at = 0; (at = text.find(" = \"", at)) != text.npos;) {
        at += 4;
        size_t end = text.find("\"\t(typeid", at);
        if (end == text.npos) break;
        values.push_back(text.substr(at, end - at));
        at = end;
    }
    return values;
}

std::string Backend::value(std::string_view sql) {
    auto values = query(sql);
    if (!values.ok()) {
        ADD_FAILURE() << values.error().text();
        return "";
    }
    if (values->size() == 1) return values->front();
    ADD_FAILURE() << sql << " gave " << values->size() << " values";
    return "";
}

void Backend::run(std::string_view sql) {
    auto values = query(sql);
    if (!values.ok()) ADD_FAILURE() << values.error().text();
}

void Backend::kill() {
    if (process_ > 0) ::kill(process_, SIGKILL);
    finish();
}

void Backend::finish() {
    if (input_ >= 0) close(std::exchange(input_, -1));
    if (process_ > 0) {
        // What it still prints must not block it.
        char rest[4096];
        while (read(output_, rest, sizeof rest) > 0) continue;
        wait_for(std::exchange(process_, -1));
    }
    if (output_ >= 0) close(std::exchange(output_, -1));
}

Cluster::Cluster(Cluster&& other) noexcept
    : major_(other.major_),
      postmaster_(std::exchange(other.postmaster_, -1)),
      binaries_(std::move(other.binaries_)),
      root_(std::exchange(other.root_, {})),
      data_(std::move(other.data_)) {}

Cluster::~Cluster() {
    std::error_code ignored;
    if (postmaster_ > 0) {
        ::kill(postmaster_, SIGQUIT);  // at once
        wait_for(postmaster_);
    }
    if (!root_.empty()) fs::remove_all(root_, ignored);
}

Result<Cluster> Cluster::create(int major, std::vector<std::string> initdb_options) {
    auto binaries = find_binaries(major);
    if (!binaries) return error(Code::not_found, "{}", missing_binaries(major));
    std::string pattern = (fs::temp_directory_path() / "tarn-pg-XXXXXX").string();
    if (!mkdtemp(pattern.data())) return errno_error(errno, fmt::format("make {}", pattern));
    Cluster cluster;
    cluster.major_ = major;
    cluster.binaries_ = *binaries;
    cluster.root_ = pattern;
    cluster.data_ = pattern + "/data";
    passwd user = unprivileged();
    if (geteuid() == 0 && chown(pattern.c_str(), user.pw_uid, user.pw_gid) != 0)
        return errno_error(errno, fmt::format("give {} away", pattern));
    std::vector<std::string> command = {
        *binaries + "/initdb", "-D",         cluster.data_, "-U",  "postgres", "-A", "trust",
        "--no-sync",           "--locale=C", "-E",          "UTF8"};
    command.insert(command.end(), initdb_options.begin(), initdb_options.end());
    std::string log = pattern + "/initdb.log";
    if (int status = wait_for(TRY(spawn(command, log, -1, -1))); status != 0)
        return error(Code::io_error, "initdb ended with status {}; its log:\n{}", status,
                     text_of(log));
    return cluster;
}

Result<Backend> Cluster::start(const std::vector<std::string>& settings) {
    int to_child[2];
    int from_child[2];
    if (pipe2(to_child, O_CLOEXEC) != 0 || pipe2(from_child, O_CLOEXEC) != 0)
        return errno_error(errno, "make a pipe");
    // With mmap a killed one leaves nothing in /dev/shm.
    std::vector<std::string> command = {
        binaries_ + "/postgres", "--single", "-D",        data_, "-c",
        "exit_on_error=on",      "-c",       "fsync=off", "-c",  "dynamic_shared_memory_type=mmap"};
    for (const auto& setting : settings) {
        command.push_back("-c");
        command.push_back(setting);
    }
    command.push_back("postgres");
    std::signal(SIGPIPE, SIG_IGN);
    Backend backend;
    backend.log_path_ = root_ + "/backend.log";
    backend.input_ = to_child[1];
    backend.output_ = from_child[0];
    auto child = spawn(command, backend.log_path_, to_child[0], from_child[1]);
    close(to_child[0]);
    close(from_child[1]);
    backend.process_ = TRY(std::move(child));
    TRY_CTX(backend.until_prompt(), "start a single-user backend");
    return backend;
}

// What `pg_ctl -w` looks at: the postmaster writes its state into the last line of its file.
bool Cluster::is_ready() const {
    std::string text = text_of(data_ + "/postmaster.pid");
    if (!text.starts_with(fmt::format("{}\n", postmaster_))) return false;  // another one's
    return text.find("\nready") != text.npos || text.find("\nstandby") != text.npos;
}

Result<void> Cluster::start_server(const std::vector<std::string>& settings) {
    std::vector<std::string> command = {
        binaries_ + "/postgres", "-D", data_,      "-k", root_, "-c",
        "listen_addresses=",     "-c", "fsync=off"};
    for (const auto& setting : settings) command.insert(command.end(), {"-c", setting});
    std::string log = root_ + "/server.log";
    postmaster_ = TRY(spawn(command, log, -1, -1));
    while (!is_ready()) {
        if (waitpid(postmaster_, nullptr, WNOHANG) == postmaster_) {
            postmaster_ = -1;
            return error(Code::io_error, "the server ended while it started; its log:\n{}",
                         text_of(log));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return {};
}

Result<void> Cluster::promote_server() {
    std::string log = root_ + "/pg_ctl.log";
    int status =
        wait_for(TRY(spawn({binaries_ + "/pg_ctl", "promote", "-w", "-D", data_}, log, -1, -1)));
    if (status == 0) return {};
    return error(Code::io_error, "pg_ctl promote ended with status {}; the server's log:\n{}",
                 status, text_of(root_ + "/server.log"));
}

Result<void> Cluster::stop_server() {
    CHECK(postmaster_ > 0, "there is no server to stop");
    ::kill(postmaster_, SIGINT);  // fast
    int status = wait_for(std::exchange(postmaster_, -1));
    if (status == 0) return {};
    return error(Code::io_error, "the server ended with status {}; its log:\n{}", status,
                 text_of(root_ + "/server.log"));
}

}  // namespace tarn::pg::testing
