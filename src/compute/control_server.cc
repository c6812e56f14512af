#include "compute/control_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace tarn::compute {

Result<ControlServer> ControlServer::open(const std::string& path, int inherited) {
    ControlServer server;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return error(Code::invalid_argument, "control socket path {} is too long", path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    ::unlink(path.c_str());  // an earlier supervisor's; the lineage lock decides who counts
    server.listener_ =
        sys::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!server.listener_.is_open() ||
        ::bind(server.listener_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(server.listener_.fd(), 16) != 0)
        return errno_error(errno, fmt::format("listen at {}", path));
    if (inherited >= 0) {
        ::fcntl(inherited, F_SETFD, FD_CLOEXEC);
        ::fcntl(inherited, F_SETFL, O_NONBLOCK);
        server.clients_[inherited].fd = sys::Descriptor(inherited);
    }
    return server;
}

void ControlServer::add_descriptors(std::vector<pollfd>& polled) const {
    polled.push_back({listener_.fd(), POLLIN, 0});
    for (const auto& [fd, client] : clients_) polled.push_back({fd, POLLIN, 0});
}

void ControlServer::read_client(int client, std::vector<Incoming>& incoming) {
    std::string& buffer = clients_[client].buffer;
    char bytes[4096];
    ssize_t got = ::recv(client, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got > 0) buffer.append(bytes, static_cast<size_t>(got));
    if (got <= 0 || buffer.size() > kControlLineBytes) {
        clients_.erase(client);
        return;
    }
    for (size_t end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n')) {
        auto request = decode_request(buffer.substr(0, end));
        buffer.erase(0, end + 1);
        if (request)
            incoming.push_back({client, *request});
        else
            log::warn("compute: control socket: {}", request.error().text());
    }
}

std::vector<ControlServer::Incoming> ControlServer::handle(const std::vector<pollfd>& polled,
                                                           const std::string& greeting) {
    std::vector<Incoming> incoming;
    for (const auto& each : polled) {
        if (each.revents == 0) continue;
        if (each.fd == listener_.fd()) {
            int fd = ::accept4(each.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd < 0) continue;
            clients_[fd].fd = sys::Descriptor(fd);
            send(fd, greeting);
        } else if (clients_.contains(each.fd)) {
            read_client(each.fd, incoming);
        }
    }
    return incoming;
}

void ControlServer::send(int client, const std::string& line) {
    if (!clients_.contains(client)) return;
    // Lines are short: a client that lets the socket's buffer fill up is no use to anyone.
    ssize_t sent = ::send(client, line.data(), line.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(line.size())) clients_.erase(client);
}

void ControlServer::broadcast(const std::string& line) {
    std::vector<int> all;
    for (const auto& [fd, client] : clients_) all.push_back(fd);
    for (int fd : all) send(fd, line);
}

}  // namespace tarn::compute
