#include "main/offline.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "sys/files.h"

namespace tarn {

int report(const Error& failure) {
    std::fprintf(stderr, "tarn: %s\n", failure.message().c_str());
    if (!failure.hint().empty()) std::fprintf(stderr, "hint: %s\n", failure.hint().c_str());
    return info(failure.code()).exit_status;
}

Result<compute::ComputeUser> owner_of(const std::string& store_root) {
    struct stat status {};
    if (::stat(store_root.c_str(), &status) != 0) {
        Error failure = errno_error(errno, fmt::format("look at the store {}", store_root));
        if (failure.code() == Code::permission_denied)
            return std::move(failure).with_hint("run it as the user of the server, or as root");
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
