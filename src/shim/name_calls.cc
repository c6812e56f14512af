// name_calls.cc: calls that take a path. Opening decides what a descriptor stands for.

#include <dlfcn.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "pg/relation_path.h"
#include "pg/wal_name.h"
#include "shim/export.h"
#include "shim/new_wal.h"
#include "shim/page_file.h"
#include "shim/protocol.h"
#include "shim/real.h"
#include "shim/state.h"
#include "shim/wal_sync.h"
#include "store/paths.h"

namespace tarn::shim {

static constinit Handle handles[kMaxDescriptors] = {};
static constinit Handle beyond_range;  // always native

Handle* handle_of(int fd) {
    if (fd < 0 || fd >= kMaxDescriptors) {
        beyond_range = {};
        return &beyond_range;
    }
    return &handles[fd];
}

namespace {

struct Name {
    pg::PathClass type;
    bool inside = false;  // below PGDATA
    bool in_wal = false;  // below pg_wal
    const char* relative = "";
};

// PostgreSQL works inside PGDATA with relative paths; a few places name it absolutely.
Name classify(const char* path) {
    Name name;
    if (path[0] == '/') {
        size_t length = state.data_directory_length;
        if (std::strncmp(path, map().data_directory, length) != 0 || path[length] != '/')
            return name;
        path += length + 1;
    }
    name.inside = true;
    name.relative = path;
    name.in_wal = std::strncmp(path, "pg_wal", 6) == 0 && (path[6] == '/' || path[6] == '\0');
    name.type = pg::classify_path(path, state.version_directory);
    return name;
}

bool has_pages(const Name& name) {
    return name.type.kind == pg::PathKind::relation || name.type.kind == pg::PathKind::slru;
}

int fail(int error_number) {
    errno = error_number;
    return -1;
}

// The stub was there when it was opened. Is it still?
bool was_removed(int fd) {
    struct stat status {};
    return ::fstat(fd, &status) == 0 && status.st_nlink == 0;
}

// The file in the map; null, with errno, where that has no room.
store::FileEntry* enter_file(const Name& name) {
    int failure = 0;
    bool created = false;
    store::FileEntry* file = log().map().find_or_create(name.type.id, &created, &failure);
    if (!file) errno = -failure;
    return file;
}

// The stub says whether the file exists; the map says what it is.
int enter_pages(Handle* handle, int fd, const Name& name, int flags, const char* path) {
    store::FileEntry* file = log().map().find(name.type.id);
    bool removed = !file && was_removed(fd);
    // Of a stub that was made while another process removed what had that name before.
    if (!file && !removed && (flags & O_CREAT)) file = enter_file(name);
    if (!file) {
        // Somebody may have removed both since.
        int failure = removed ? ENOENT : EIO;
        if (failure == EIO) report("finds a stub without a file:", path, EIO);
        real::close(fd);
        return fail(failure);
    }
    if (flags & O_TRUNC) {
        int result = log().truncate(file, 0);
        if (result < 0) {
            real::close(fd);
            return fail(-result);
        }
    }
    *handle = {.kind = HandleKind::pages, .file = file};
    return fd;
}

void enter_wal(Handle* handle, const Name& name) {
    uint64_t segment = 0;
    handle->kind = HandleKind::wal;
    std::string_view base(name.relative + std::strlen("pg_wal/"));
    if (pg::parse_wal_name(base, pg::kDefaultWalSegmentSize, &handle->tli, &segment))
        handle->base = segment * pg::kDefaultWalSegmentSize;
    else
        handle->kind = HandleKind::native;
}

// Opens a WAL segment; if it is to be written, with a durable name.
int open_wal(Handle* handle, int fd, const Name& name, int flags) {
    enter_wal(handle, name);
    if (handle->kind != HandleKind::wal || (flags & O_ACCMODE) == O_RDONLY) return fd;
    int result = sync_wal_name(handle->base / pg::kDefaultWalSegmentSize);
    if (result == 0) return fd;
    *handle = {};
    real::close(fd);
    return fail(-result);
}

// PostgreSQL makes a segment under this name and renames it when it is whole.
bool is_new_segment(const Name& name) {
    constexpr std::string_view kPrefix = "pg_wal/xlogtemp.";
    return std::strncmp(name.relative, kPrefix.data(), kPrefix.size()) == 0;
}

int open_any(const char* path, int flags, mode_t mode) {
    if (!active()) return real::open(path, flags, mode);
    Name name = classify(path);
    // Stubs hold nothing: direct or synchronous access to them would only fail or cost.
    if (has_pages(name)) flags &= ~(O_DIRECT | O_SYNC | O_DSYNC);
    // Before the stub: whoever finds that finds the file too. One whose stub could not be made is
    // an empty file that nobody opens.
    if (has_pages(name) && (flags & O_CREAT) && !enter_file(name)) return -1;
    int fd = real::open(path, flags, mode);
    if (fd < 0) return fd;
    if (fd >= kMaxDescriptors) {
        if (!name.inside) return fd;
        real::close(fd);
        return fail(EMFILE);
    }
    Handle* handle = &handles[fd];
    *handle = {};
    if (has_pages(name)) return enter_pages(handle, fd, name, flags, path);
    if (name.type.kind == pg::PathKind::control_file)
        handle->kind = HandleKind::control;
    else if (name.type.kind == pg::PathKind::wal_segment)
        return open_wal(handle, fd, name, flags);
    else if (name.inside && !name.in_wal)
        handle->kind = HandleKind::scratch;
    else if (state.recovers && is_new_segment(name))
        handle->kind = HandleKind::new_wal;
    // Recovery has begun and listens to signals: the supervisor may ask for promotion.
    if (name.inside && std::strcmp(name.relative, "standby.signal") == 0) {
        state.recovers = true;
        map().caller_state.fetch_or(kRecoveryReady);
        ring();
    }
    return fd;
}

// WAL that PostgreSQL no longer needs may still be needed by a restore point: it moves aside
// instead.
int remove_wal(const char* path, const Name& name) {
    char target[128] = "pg_wal/../";
    std::strcat(target, store::kWalArchiveDirectory);
    std::strcat(target, "/");
    std::strncat(target, name.relative + std::strlen("pg_wal/"), pg::kWalNameLength);
    return real::rename(path, target);
}

// The stream functions of libc reach the kernel behind our back, so a page file must not become
// one. pg_control may: the postmaster opens it so to see that it is there, and its stub is text.
FILE* open_stream(const char* path, const char* mode, const char* symbol) {
    using Function = FILE* (*)(const char*, const char*);
    if (active()) {
        Name name = classify(path);
        if (has_pages(name)) {
            errno = EIO;
            return nullptr;
        }
    }
    auto next = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, symbol));
    if (!next) {
        errno = ENOSYS;
        return nullptr;
    }
    return next(path, mode);
}

int truncate_name(const char* path, off_t size) {
    if (active()) {
        Name name = classify(path);
        if (has_pages(name)) {
            int fd = real::open(path, O_RDWR | O_CLOEXEC, 0);
            if (fd < 0) return fd;
            store::FileEntry* file = log().map().find(name.type.id);
            int result = file ? resize_pages(file, fd, size) : -EIO;
            real::close(fd);
            return answer(result, &errno);
        }
    }
    return real::truncate(path, size);
}

mode_t mode_argument(int flags, va_list arguments) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

}  // namespace
}  // namespace tarn::shim

using namespace tarn::shim;

TARN_EXPORT int open(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_argument(flags, arguments);
    va_end(arguments);
    return open_any(path, flags, mode);
}

TARN_EXPORT int open64(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_argument(flags, arguments);
    va_end(arguments);
    return open_any(path, flags, mode);
}

TARN_EXPORT int __open_2(const char* path, int flags) {
    return open_any(path, flags, 0);
}
TARN_EXPORT int __open64_2(const char* path, int flags) {
    return open_any(path, flags, 0);
}

TARN_EXPORT int close(int fd) {
    *handle_of(fd) = {};
    return real::close(fd);
}

TARN_EXPORT int dup(int fd) {
    int copy = real::dup(fd);
    if (copy >= 0) *handle_of(copy) = *handle_of(fd);
    return copy;
}

TARN_EXPORT FILE* fopen(const char* path, const char* mode) {
    return open_stream(path, mode, "fopen");
}
TARN_EXPORT FILE* fopen64(const char* path, const char* mode) {
    return open_stream(path, mode, "fopen64");
}

TARN_EXPORT int unlink(const char* path) {
    if (!active()) return real::unlink(path);
    Name name = classify(path);
    if (name.type.kind == tarn::pg::PathKind::wal_segment) return remove_wal(path, name);
    int result = real::unlink(path);
    if (result == 0 && has_pages(name))
        if (auto* file = log().map().find(name.type.id)) log().map().unlink(file);
    return result;
}

TARN_EXPORT int rename(const char* from, const char* to) {
    if (!active()) return real::rename(from, to);
    Name source = classify(from);
    Name target = classify(to);
    if (has_pages(source) || has_pages(target)) {
        report("refuses to rename a page file:", from, EIO);
        return fail(EIO);
    }
    // Recovery may mean to replace one, and nobody else makes any meanwhile.
    if (!state.recovers && is_new_segment(source) &&
        target.type.kind == tarn::pg::PathKind::wal_segment)
        return answer(install_wal(from, to), &errno);
    return real::rename(from, to);
}

// A tablespace with a location would be shared by every branch of the database.
TARN_EXPORT int symlink(const char* target, const char* path) {
    if (active() && std::strncmp(path, "pg_tblspc/", 10) == 0) {
        report("refuses a tablespace with a location:", path, EPERM);
        errno = EPERM;
        return -1;
    }
    return real::symlink(target, path);
}

TARN_EXPORT int truncate(const char* path, off_t size) {
    return truncate_name(path, size);
}
TARN_EXPORT int truncate64(const char* path, off_t size) {
    return truncate_name(path, size);
}
