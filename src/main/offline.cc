#include "main/offline.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "sys/files.h"

namespace tarn {

namespace {

// What to do next where nobody below knew more than the system's word for it.
std::string hint_of_errno(int number) {
    switch (number) {
        case EACCES:
        case EPERM:
            return "files of a server are its user's: run this as that user or as root, or name a "
                   "place that this user may use";
        case EROFS:
            return "nothing can be written there: name another place, or mount it for writing";
        case ENOTDIR:
            return "a part of that path is a file: look at it with ls -ld";
        case EIO:
            return "look at the disk's own errors (dmesg) before anything is written to it again";
        default:
            return "";
    }
}

}  // namespace

int report(const Error& failure) {
    std::fprintf(stderr, "tarn: %s\n", failure.message().c_str());
    std::string hint = failure.hint().empty() ? hint_of_errno(failure.os_errno()) : failure.hint();
    if (!hint.empty()) std::fprintf(stderr, "hint: %s\n", hint.c_str());
    return info(failure.code()).exit_status;
}

Result<compute::ComputeUser> owner_of(const std::string& store_root) {
    struct stat status {};
    if (::stat(store_root.c_str(), &status) != 0) {
        Error failure = errno_error(errno, fmt::format("look at the store {}", store_root));
        if (failure.code() != Code::not_found) return failure;
        return std::move(failure).with_hint("name the server's data directory with --data-dir");
    }
    bool switches = ::geteuid() == 0 && status.st_uid != 0;
    return compute::ComputeUser{status.st_uid, status.st_gid, "", switches};
}

Result<store::Store> open_existing_store(const std::string& store_root) {
    auto lineages = sys::list_names(sys::real_disk(), store_root + "/lineages");
    if (!lineages && lineages.error().code() == Code::permission_denied)
        return std::move(lineages).error().with_hint(
            "only the owner of the store and root can read it");
    TRY(std::move(lineages));
    return store::Store::open(sys::real_disk(), store_root);
}

}  // namespace tarn
