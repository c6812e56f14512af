#include "compute/history_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "compute/layout.h"
#include "store/paths.h"

namespace tarn::compute {

namespace {

constexpr std::string_view kHistory = "history.lock";
constexpr std::string_view kPacking = "packing.lock";

// Nothing if `how` says not to wait and somebody is in the way.
Result<std::optional<sys::Descriptor>> lock(const store::Store& store, uint64_t lineage,
                                            std::string_view name, int how) {
    auto directory = store::lineage_directory(store.root().c_str(), lineage);
    std::string path = fmt::format("{}/{}", directory.text, name);
    // Who only reads may be on a file system that nobody can write to.
    int access = (how & LOCK_SH) != 0 ? O_RDONLY : O_RDWR;
    sys::Descriptor fd(::open(path.c_str(), access | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.is_open() && errno == ENOENT)
        return error(Code::not_found, "there is no lineage {}", lineage_text(lineage));
    if (!fd.is_open()) return errno_error(errno, fmt::format("open {}", path));
    int result = 0;
    do result = ::flock(fd.fd(), how);
    while (result != 0 && errno == EINTR);
    if (result == 0) return std::optional(std::move(fd));
    if (errno == EWOULDBLOCK) return std::optional<sys::Descriptor>();
    return errno_error(errno, fmt::format("lock {}", path));
}

}  // namespace

Result<sys::Descriptor> hold_history(const store::Store& store, uint64_t lineage) {
    return std::move(*TRY(lock(store, lineage, kHistory, LOCK_SH)));
}

Result<sys::Descriptor> hold_packing(const store::Store& store, uint64_t lineage) {
    return std::move(*TRY(lock(store, lineage, kPacking, LOCK_SH)));
}

Result<std::optional<sys::Descriptor>> take_history(const store::Store& store, uint64_t lineage) {
    return lock(store, lineage, kHistory, LOCK_EX | LOCK_NB);
}

Result<std::optional<sys::Descriptor>> take_packing(const store::Store& store, uint64_t lineage) {
    return lock(store, lineage, kPacking, LOCK_EX | LOCK_NB);
}

}  // namespace tarn::compute
