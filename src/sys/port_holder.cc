#include "sys/port_holder.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "sys/sockets.h"

namespace tarn::sys {
namespace {

struct DirectoryCloser {
    void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, DirectoryCloser>;

std::string first_line(const std::string& path) {
    std::string line;
    std::getline(std::ifstream(path) >> std::ws, line);
    return line;
}

// /proc/net/tcp writes addresses as the words of memory, in hexadecimal.
std::string host_of_words(const std::string& words) {
    char bytes[16] = {};
    size_t count = words.size() / 8;
    if (count != 1 && count != 4) return "";
    for (size_t i = 0; i < count; ++i) {
        uint32_t word = 0;
        std::from_chars(words.data() + i * 8, words.data() + i * 8 + 8, word, 16);
        std::memcpy(bytes + i * 4, &word, 4);
    }
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(count == 1 ? AF_INET : AF_INET6, bytes, text, sizeof text);
    return text;
}

// Inode to address of each listening socket in the way of `wanted`.
std::map<std::string, std::string> listeners_in_the_way(const SocketAddress& wanted) {
    constexpr std::string_view kListening = "0A";
    std::map<std::string, std::string> found;
    for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::ifstream table(path);
        std::string line;
        std::getline(table, line);
        while (std::getline(table, line)) {
            std::istringstream fields(line);
            std::string slot, local, remote, state, queues, timer, retries, uid, timeout, inode;
            fields >> slot >> local >> remote >> state >> queues >> timer >> retries >> uid >>
                timeout >> inode;
            size_t colon = local.find(':');
            if (state != kListening || colon == std::string::npos) continue;
            std::string host = host_of_words(local.substr(0, colon));
            unsigned port = 0;
            std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
            bool all = host == "0.0.0.0" || host == "::" || wanted.host() == "0.0.0.0" ||
                       wanted.host() == "::";
            if (port == wanted.port() && (all || host == wanted.host()))
                found.emplace(inode, fmt::format("{}:{}", host, port));
        }
    }
    return found;
}

// Calls visit(name of the entry) for each entry that is a number.
template <class Visit>
void each_number(const std::string& path, Visit visit) {
    Directory directory(opendir(path.c_str()));
    if (!directory) return;
    while (const dirent* entry = readdir(directory.get()))
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') visit(std::string(entry->d_name));
}

}  // namespace

std::vector<PortHolder> port_holders(const SocketAddress& address) {
    std::map<std::string, std::string> open = listeners_in_the_way(address);
    std::vector<PortHolder> holders;
    each_number("/proc", [&](const std::string& pid) {
        std::string descriptors = fmt::format("/proc/{}/fd", pid);
        each_number(descriptors, [&](const std::string& fd) {
            char target[64];
            ssize_t length =
                readlink(fmt::format("{}/{}", descriptors, fd).c_str(), target, sizeof target);
            std::string_view name(target, length < 0 ? 0 : static_cast<size_t>(length));
            if (!name.starts_with("socket:[")) return;
            auto found = open.find(std::string(name.substr(8, name.size() - 9)));
            if (found == open.end()) return;
            holders.push_back({found->second, std::atoi(pid.c_str()),
                               first_line(fmt::format("/proc/{}/comm", pid))});
            open.erase(found);  // a forked server shares it with its children: the first will do
        });
    });
    for (const auto& [inode, text] : open) holders.push_back({text, 0, ""});
    return holders;
}

Error address_in_use(Error error, const SocketAddress& address) {
    std::string who;
    bool everywhere = false;
    for (const PortHolder& holder : port_holders(address)) {
        if (!who.empty()) who += ", ";
        who += holder.pid == 0
                   ? fmt::format("another user's process on {}", holder.address)
                   : fmt::format("{} (pid {}) on {}", holder.command, holder.pid, holder.address);
        everywhere = everywhere || holder.address.starts_with("0.0.0.0:") ||
                     holder.address.starts_with(":::");
    }
    if (who.empty()) return error;
    Error named = tarn::error(error.code(), "{}: held by {}", error.message(), who)
                      .with_errno(error.os_errno());
    if (!everywhere) return std::move(named).with_hint("stop that process, or choose another port");
    return std::move(named).with_hint(
        "a listener on all addresses takes every 127.x.y.z too: stop it or bind it to 127.0.0.1 "
        "(PostgreSQL: listen_addresses = 'localhost'; containers: publish 127.0.0.1:5432:5432), or "
        "choose another port");
}

}  // namespace tarn::sys
