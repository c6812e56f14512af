#include "main/profile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <vector>

#include "sys/descriptor.h"
#include "sys/small_file.h"

namespace tarn {

namespace {

struct Section {
    std::string name;  // "" for what stands before the first
    std::vector<std::string> lines;
};

std::vector<Section> read_sections(const std::string& path) {
    std::vector<Section> sections{{}};
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with('[') && line.find(']') != line.npos)
            sections.push_back({line.substr(1, line.find(']') - 1), {}});
        else
            sections.back().lines.push_back(line);
    }
    return sections;
}

std::string value_of(const Section& section, std::string_view key) {
    for (const std::string& line : section.lines) {
        auto equals = line.find('=');
        if (equals == line.npos) continue;
        std::string name = line.substr(0, line.find_last_not_of(" \t", equals - 1) + 1);
        auto begin = line.find_first_not_of(" \t", equals + 1);
        if (name == key) return begin == line.npos ? "" : line.substr(begin);
    }
    return "";
}

}  // namespace

Result<void> check_profile(const std::string& path) {
    auto tried = [&]() -> Result<void> {
        struct stat there {};
        if (::stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode))
            return error(Code::invalid_argument, "{} is no regular file", path);
        TRY(sys::read_small_file(path));  // other profiles in it must stay
        std::string beside = fmt::format("{}.{}", path, ::getpid());
        sys::Descriptor made(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!made.is_open()) return errno_error(errno, "create " + beside);
        if (::unlink(beside.c_str()) != 0) return errno_error(errno, "remove " + beside);
        return {};
    }();
    if (tried) return {};
    return std::move(tried)
        .error()
        .context("write profile")
        .with_hint(
            "--write-profile names a file in a directory that is there and that you can write");
}

Result<void> write_profile(const std::string& path, const std::string& host,
                           const std::string& token) {
    std::string content;
    for (const Section& section : read_sections(path)) {
        if (section.name == "DEFAULT") continue;
        if (!section.name.empty()) content += "[" + section.name + "]\n";
        for (const std::string& line : section.lines) content += line + "\n";
    }
    content = fmt::format("[DEFAULT]\nhost = {}\ntoken = {}\n\n", host, token) + content;
    // For its owner's eyes only.
    return sys::write_small_file(path, content, 0600);
}

std::string token_in_profile(const std::string& path, const std::string& host) {
    for (const Section& section : read_sections(path))
        if (section.name == "DEFAULT" && value_of(section, "host") == host)
            return value_of(section, "token");
    return "";
}

}  // namespace tarn
