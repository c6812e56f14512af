#include "compute/stub_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "sys/descriptor.h"
#include "sys/files.h"

namespace tarn::compute {

void StubTree::directory(const std::string& path) {
    if (directories_.contains(path)) return;
    auto slash = path.rfind('/');
    if (slash != std::string::npos) directory(path.substr(0, slash));
    directories_[path];
}

StubTree::Entry& StubTree::entry(std::string_view path) {
    auto slash = path.rfind('/');
    std::string parent(slash == std::string_view::npos ? "" : path.substr(0, slash));
    directory(parent);
    return directories_[parent][std::string(path.substr(slash + 1))];  // npos + 1 is 0
}

void StubTree::stub(std::string_view path, uint64_t length) {
    entry(path) = {.kind = Kind::stub, .length = length, .contents = {}, .target = {}};
}

void StubTree::file(std::string_view path, std::string_view contents) {
    entry(path) = {.kind = Kind::file, .length = 0, .contents = contents, .target = {}};
}

void StubTree::symbolic_link(std::string_view path, std::string target) {
    entry(path) = {.kind = Kind::link, .length = 0, .contents = {}, .target = std::move(target)};
}

// Keeps a file that is there, if it can become what is wanted (`entry`; null: nothing is).
Result<void> StubTree::reuse(int directory, const std::string& name, Entry* entry) {
    struct stat status {};
    bool usable = entry && entry->kind != Kind::link &&
                  ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                  S_ISREG(status.st_mode) && status.st_nlink == 1;
    if (usable && entry->kind == Kind::file) return {};  // written over
    // A stub with bytes in it was never one of ours.
    if (!usable || status.st_blocks != 0) {
        if (::unlinkat(directory, name.c_str(), 0) != 0)
            return errno_error(errno, "remove " + name);
        return {};
    }
    entry->done = true;
    if (static_cast<uint64_t>(status.st_size) == entry->length) return {};
    sys::Descriptor fd(::openat(directory, name.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.is_open() || ::ftruncate(fd.fd(), static_cast<off_t>(entry->length)) != 0)
        return errno_error(errno, "set the length of stub " + name);
    return {};
}

// Removes what is not wanted and keeps what is.
Result<void> StubTree::sweep(int directory, const std::string& whole, const std::string& path,
                             Entries& entries) {
    for (const auto& name : TRY(sys::list_names_if_any(sys::real_disk(), whole))) {
        struct stat status {};
        if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return errno_error(errno, "look at " + name);
        auto below = path.empty() ? name : path + "/" + name;
        if (S_ISDIR(status.st_mode)) {
            if (!directories_.contains(below))
                TRY(sys::remove_tree(sys::real_disk(), whole + "/" + name));
            continue;
        }
        auto found = entries.find(name);
        TRY(reuse(directory, name, found == entries.end() ? nullptr : &found->second));
    }
    return {};
}

namespace {

Result<void> write_contents(int fd, std::string_view contents, const std::string& name) {
    if (::write(fd, contents.data(), contents.size()) != static_cast<ssize_t>(contents.size()))
        return errno_error(errno ? errno : ENOSPC, "write " + name);
    return {};
}

}  // namespace

Result<void> StubTree::apply(const std::string& root) {
    for (auto& [path, entries] : directories_) {
        std::string whole = path.empty() ? root : root + "/" + path;
        bool made = ::mkdir(whole.c_str(), 0700) == 0;
        if (!made && errno != EEXIST) return errno_error(errno, "make directory " + whole);
        sys::Descriptor directory(
            ::open(whole.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!directory.is_open()) return errno_error(errno, "open directory " + whole);
        if (!made) TRY_CTX(sweep(directory.fd(), whole, path, entries), "in {}", whole);
        for (const auto& [name, entry] : entries) {
            if (entry.done) continue;
            if (entry.kind == Kind::link) {
                if (::symlinkat(entry.target.c_str(), directory.fd(), name.c_str()) != 0)
                    return errno_error(errno, fmt::format("link {}/{}", whole, name));
                continue;
            }
            int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
            sys::Descriptor fd(::openat(directory.fd(), name.c_str(), flags, 0600));
            if (!fd.is_open()) return errno_error(errno, fmt::format("create {}/{}", whole, name));
            if (entry.kind == Kind::file)
                TRY_CTX(write_contents(fd.fd(), entry.contents, name), "in {}", whole);
            else if (entry.length > 0 &&
                     ::ftruncate(fd.fd(), static_cast<off_t>(entry.length)) != 0)
                return errno_error(errno, fmt::format("set the length of {}/{}", whole, name));
        }
    }
    return {};
}

}  // namespace tarn::compute
