// attach.cc: decides, before main(), whether this process is the postgres of a compute.
//
// Inert in every other program. In the right one a failure ends the process: PostgreSQL must not
// run on stubs. (Without the shim it cannot: its pg_control on disk is no control file.)

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "pg/relation_path.h"
#include "shim/protocol.h"
#include "shim/real.h"
#include "shim/state.h"
#include "store/paths.h"

namespace tarn::shim {

constinit State state;

namespace {

alignas(store::PageLog) constinit unsigned char log_storage[sizeof(store::PageLog)] = {};

char map_file[store::kPathBytes];

// Backs more of the map with disk space. Rare (steps of 256 KiB), so the file is opened each time
// and no descriptor is kept that PostgreSQL could trip over.
int grow_map(void*, uint64_t from, uint64_t end) {
    sys::Disk& disk = sys::real_disk();
    int fd = disk.open(map_file, O_RDWR, 0);
    if (fd < 0) return fd;
    int result = disk.allocate(fd, static_cast<int64_t>(from), static_cast<int64_t>(end - from));
    disk.close(fd);
    return result;
}

[[noreturn]] void refuse(const char* what, const char* object, int failure) {
    report(what, object, failure);
    ::_exit(1);
}

int descriptor_from(const char* variable) {
    const char* text = ::getenv(variable);
    if (!text || !*text) return -1;
    int fd = std::atoi(text);
    // Kept by every fork of PostgreSQL, closed in programs that it executes.
    ::syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
    ::unsetenv(variable);
    return fd;
}

bool is_executable(const char* expected) {
    char path[512];
    long length = ::syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return false;
    path[length] = '\0';
    return std::strcmp(path, expected) == 0;
}

__attribute__((constructor)) void attach() {
    const char* path = ::getenv(kMapVariable);
    if (!path || !*path) return;
    if (std::strlen(path) >= sizeof map_file) refuse("map path too long", path, ENAMETOOLONG);
    std::strcpy(map_file, path);

    sys::Disk& disk = sys::real_disk();
    int fd = disk.open(map_file, O_RDWR, 0);
    if (fd < 0) refuse("cannot open map", map_file, -fd);
    void* base = real::mmap(nullptr, store::kMapBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    disk.close(fd);
    if (base == MAP_FAILED) refuse("cannot map", map_file, errno);
    if (!store::PageMap::valid(base)) refuse("not a page map of this version", map_file, EINVAL);
    auto* header = static_cast<store::MapHeader*>(base);
    if (!is_executable(header->caller)) {
        ::syscall(SYS_munmap, base, store::kMapBytes);
        return;
    }
    ::unsetenv(kMapVariable);
    ::unsetenv("LD_PRELOAD");

    state.event_fd = descriptor_from(kEventVariable);
    descriptor_from(kLockVariable);
    state.data_directory_length = std::strlen(header->data_directory);
    const char* version =
        pg::tablespace_version_directory(static_cast<int>(header->caller_version));
    if (!version) refuse("unknown PostgreSQL version in map", map_file, EINVAL);
    state.version_directory = version;
    state.log = new (log_storage) store::PageLog(disk, store::PageMap(base, {grow_map, nullptr}));
}

}  // namespace

void ring() {
    uint64_t one = 1;
    if (state.event_fd >= 0) real::write(state.event_fd, &one, sizeof one);
}

void report(const char* what, const char* object, int failure) {
    int kept = errno;
    const char* reason = ::strerrordesc_np(failure);
    const char* parts[] = {"tarn shim: ", what, " ", object, ": ", reason ? reason : "error", "\n"};
    iovec vector[7];
    for (int i = 0; i < 7; ++i) vector[i] = {const_cast<char*>(parts[i]), std::strlen(parts[i])};
    ::syscall(SYS_writev, 2, vector, 7);
    errno = kept;
}

}  // namespace tarn::shim

// An abstract class names it; nothing can call it. Defined here so that no C++ runtime is linked.
extern "C" __attribute__((visibility("hidden"))) void __cxa_pure_virtual() {
    __builtin_trap();
}
