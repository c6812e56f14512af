#include "proxy/test_support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "pgwire/message.h"
#include "proxy/login_errors.h"

namespace tarn::proxy::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string slurp(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::string make_directory(const char* name) {
    std::string pattern = (fs::temp_directory_path() / (std::string(name) + "-XXXXXX")).string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr) << pattern;
    return pattern;
}

}  // namespace

bool eventually(const std::function<bool()>& condition) {
    auto end = std::chrono::steady_clock::now() + 30s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

Program::Program(const std::vector<std::string>& command, const Environment& environment,
                 const std::string& input)
    : directory_(make_directory("tarn-program")) {
    int in = open(input.c_str(), O_RDONLY | O_CLOEXEC);
    int out = open((directory_ + "/out").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int err = open((directory_ + "/err").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    EXPECT_TRUE(in >= 0 && out >= 0 && err >= 0) << input;
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
        for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
        dup2(in, 0);
        dup2(out, 1);
        dup2(err, 2);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(arguments[0], arguments.data());
        _exit(127);
    }
    close(in);
    close(out);
    close(err);
}

Program::~Program() {
    if (is_running()) {
        signal(SIGKILL);
        wait();
    }
    fs::remove_all(directory_);
}

void Program::signal(int number) const {
    kill(pid_, number);
}

bool Program::is_running() {
    int status = 0;
    if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
    return !status_;
}

Finished Program::wait() {
    int status = 0;
    while (!status_) {
        if (waitpid(pid_, &status, 0) == pid_) status_ = status;
    }
    return {WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_), output(),
            errors()};
}

std::string Program::output() const {
    return slurp(directory_ + "/out");
}
std::string Program::errors() const {
    return slurp(directory_ + "/err");
}

Server::Server() : cluster_(pg::testing::Cluster::create(major()).value()) {
    start();
    query(fmt::format("create role \"{}\" login", kUser), "postgres");
    query(fmt::format("create database {} owner \"{}\"", kDatabase, kUser), "postgres");
}

int Server::major() {
    for (int major : {17, 18})
        if (pg::testing::find_binaries(major)) return major;
    return 16;
}

Server& Server::get() {
    static Server server;
    return server;
}

void Server::start() {
    auto started = cluster_.start_server({"max_connections=300", "shared_buffers=32MB"});
    ASSERT_TRUE(started.ok()) << started.error().text();
}

void Server::stop() {
    auto stopped = cluster_.stop_server();
    ASSERT_TRUE(stopped.ok()) << stopped.error().text();
}

std::string Server::query(const std::string& sql, const std::string& database) {
    Finished psql = Program({"psql", "-XAtq", "-h", socket_directory(), "-U", "postgres", "-d",
                             database, "-c", sql})
                        .wait();
    EXPECT_EQ(psql.status, 0) << sql << ": " << psql.errors;
    while (psql.output.ends_with('\n')) psql.output.pop_back();
    return psql.output;
}

void FakeBackplane::serve(const std::string& address, const std::string& endpoint) {
    std::lock_guard lock(mutex_);
    endpoints_[address] = endpoint;
}

void FakeBackplane::set_authenticate(OnAuthenticate answer) {
    std::lock_guard lock(mutex_);
    on_authenticate_ = std::move(answer);
}

void FakeBackplane::set_wake(OnWake answer) {
    std::lock_guard lock(mutex_);
    on_wake_ = std::move(answer);
}

Result<std::string> FakeBackplane::endpoint_at(const std::string& address) {
    std::lock_guard lock(mutex_);
    auto found = endpoints_.find(address);
    if (found == endpoints_.end()) return unknown_endpoint(address);
    return found->second;
}

Result<std::string> FakeBackplane::endpoint_named(const std::string& name) {
    if (name == "ep-1" || name == "named-1") return std::string("ep-1");
    return unknown_endpoint(name);
}

Result<void> FakeBackplane::authenticate(const std::string&, const Login& login) {
    ++logins;
    OnAuthenticate answer;
    {
        std::lock_guard lock(mutex_);
        answer = on_authenticate_;
    }
    if (answer) return answer(login);
    if (login.password == "secret") return {};
    return bad_password(login.user);
}

void FakeBackplane::wake(const std::string&, Awake done) {
    ++wakes;
    OnWake answer;
    {
        std::lock_guard lock(mutex_);
        answer = on_wake_;
    }
    if (answer) return answer(std::move(done));
    done(socket_directory);
}

Client::Client(const std::string& host, uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sys::SocketAddress address = sys::SocketAddress::parse(host, port).value();
    EXPECT_EQ(::connect(socket_.fd(), address.raw(), address.raw_bytes()), 0) << address.text();
    int on = 1;  // as every driver does
    setsockopt(socket_.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // A test that waits in vain fails instead of hanging.
    timeval patience{60, 0};
    setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

void Client::send(std::string_view bytes) {
    if (ssl_) {
        SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
        return;
    }
    while (!bytes.empty()) {
        sys::Io io = sys::send(socket_, bytes);
        if (io.kind != sys::Io::moved) return;
        bytes.remove_prefix(io.bytes);
    }
}

bool Client::start_tls(const std::string& ca_file, const std::string& verified_name) {
    send(pgwire::ssl_request());
    char answer = 0;
    return read_exactly(&answer, 1) && answer == 'S' && shake_hands(ca_file, verified_name, false);
}

bool Client::start_direct_tls(bool alpn) {
    return shake_hands("", "", alpn);
}

bool Client::shake_hands(const std::string& ca_file, const std::string& verified_name, bool alpn) {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_options(context_.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (!ca_file.empty()) {
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
        EXPECT_EQ(SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr), 1);
    }
    ssl_.reset(SSL_new(context_.get()));
    if (!verified_name.empty()) {
        X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl_.get());
        // An IP address is looked for among IP names, anything else among DNS names.
        if (X509_VERIFY_PARAM_set1_ip_asc(parameters, verified_name.c_str()) != 1) {
            SSL_set1_host(ssl_.get(), verified_name.c_str());
            SSL_set_tlsext_host_name(ssl_.get(), verified_name.c_str());
        }
    }
    if (alpn)
        SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>("\x0apostgresql"),
                            11);
    SSL_set_fd(ssl_.get(), socket_.fd());
    return SSL_connect(ssl_.get()) == 1;
}

bool Client::read_exactly(char* buffer, size_t bytes) {
    while (bytes > 0) {
        ssize_t count = ssl_ ? SSL_read(ssl_.get(), buffer, static_cast<int>(bytes))
                             : recv(socket_.fd(), buffer, bytes, 0);
        if (count <= 0) return false;
        buffer += count;
        bytes -= static_cast<size_t>(count);
    }
    return true;
}

std::pair<char, std::string> Client::receive() {
    char head[pgwire::kHeaderBytes];
    if (!read_exactly(head, sizeof head)) return {};
    std::string body(pgwire::load_be32(head + 1) - 4, '\0');
    if (!read_exactly(body.data(), body.size())) return {};
    return {head[0], body};
}

std::string Client::receive_until(char type) {
    while (true) {
        auto [got, body] = receive();
        if (got == 'E') error = pgwire::parse_error_fields(body).value();
        if (got == 'K') cancel_key = {pgwire::load_be32(body.data()), body.substr(4)};
        if (got == type || got == 'E' || got == 0) return got == type ? body : "";
    }
}

bool Client::log_in(const pgwire::Parameters& parameters, const std::string& password,
                    uint16_t minor) {
    send(pgwire::startup_packet(parameters, minor));
    if (receive_until('R') != std::string("\0\0\0\3", 4)) return false;
    send(pgwire::MessageWriter().begin('p').text(password).end().take());
    return receive_until('Z') == "I";
}

std::string Client::query(const std::string& sql) {
    send(pgwire::MessageWriter().begin('Q').text(sql).end().take());
    std::string row = receive_until('D');
    if (row.empty()) return "";
    receive_until('Z');
    return row.substr(6);
}

bool Client::at_end() {
    char byte = 0;
    ssize_t count = ssl_ ? SSL_read(ssl_.get(), &byte, 1) : recv(socket_.fd(), &byte, 1, 0);
    return count == 0 || (count < 0 && errno == ECONNRESET) ||
           (ssl_ && SSL_get_error(ssl_.get(), static_cast<int>(count)) == SSL_ERROR_ZERO_RETURN);
}

}  // namespace tarn::proxy::testing
