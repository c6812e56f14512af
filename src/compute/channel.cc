#include "compute/channel.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace tarn::compute {

Result<sys::Descriptor> Channel::connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return error(Code::invalid_argument, "control socket path {} is too long", path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    sys::Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.is_open() ||
        ::connect(fd.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        return errno_error(errno, fmt::format("connect to supervisor at {}", path));
    return fd;
}

Channel::Channel(sys::Descriptor socket, Closed closed)
    : socket_(std::move(socket)), on_closed_(std::move(closed)) {
    thread_ = std::thread([this] { read_lines(); });
}

Channel::~Channel() {
    abandon();
    thread_.join();
}

void Channel::abandon() {
    {
        std::lock_guard held(mutex_);
        abandoned_ = true;
    }
    ::shutdown(socket_.fd(), SHUT_RDWR);
}

void Channel::read_lines() {
    std::string buffer;
    char bytes[4096];
    for (;;) {
        ssize_t got = ::recv(socket_.fd(), bytes, sizeof bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0 || buffer.size() > kControlLineBytes) break;
        buffer.append(bytes, static_cast<size_t>(got));
        for (size_t end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n')) {
            handle(buffer.substr(0, end));
            buffer.erase(0, end + 1);
        }
    }
    std::optional<PhaseReport> last;
    {
        std::lock_guard held(mutex_);
        closed_ = true;
        last = report_;
        changed_.notify_all();
        if (abandoned_) return;  // it was us who hung up
    }
    on_closed_(last);
}

void Channel::handle(const std::string& text) {
    auto line = decode_supervisor_line(text);
    if (!line) {
        log::warn("compute: {}", line.error().text());
        return;
    }
    std::lock_guard held(mutex_);
    if (line->report) report_ = std::move(line->report);
    if (line->reply) replies_.insert_or_assign(line->reply->id, std::move(*line->reply));
    changed_.notify_all();
}

Result<void> Channel::ask(Order order, std::chrono::milliseconds limit) {
    std::unique_lock held(mutex_);
    int64_t id = ++last_id_;
    auto line = encode(Request{id, order});
    ssize_t sent = ::send(socket_.fd(), line.data(), line.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(line.size()))
        return error(Code::unavailable, "the compute's supervisor has ended");
    changed_.wait_for(held, limit, [&] { return closed_ || replies_.contains(id); });
    auto reply = replies_.extract(id);
    if (reply.empty())
        return closed_ ? error(Code::unavailable, "the compute's supervisor has ended")
                       : error(Code::timed_out, "the compute's supervisor did not answer");
    if (reply.mapped().failure) return std::move(*reply.mapped().failure);
    return {};
}

void Channel::wait(const std::function<bool(const PhaseReport&)>& enough,
                   std::chrono::milliseconds limit) {
    std::unique_lock held(mutex_);
    changed_.wait_for(held, limit, [&] { return closed_ || (report_ && enough(*report_)); });
}

PhaseReport Channel::current() const {
    std::lock_guard held(mutex_);
    PhaseReport report = report_.value_or(PhaseReport{});
    if (closed_ && !is_final(report.phase)) {
        report.phase = Phase::crashed;
        report.reason = "its supervisor was killed";
    }
    return report;
}

bool Channel::is_closed() const {
    std::lock_guard held(mutex_);
    return closed_;
}

}  // namespace tarn::compute
