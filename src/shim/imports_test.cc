// A new PostgreSQL build must not reach page files through a call that the shim does not know.

#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "pg/test_cluster.h"

namespace tarn {
namespace {

// Calls of libc that take a path or a descriptor of a file, whether or not today's postgres uses
// them.
const std::set<std::string> kFileCalls = {"access",
                                          "aio_read",
                                          "aio_write",
                                          "chmod",
                                          "chown",
                                          "close",
                                          "close_range",
                                          "closedir",
                                          "copy_file_range",
                                          "creat",
                                          "creat64",
                                          "dlopen",
                                          "dup",
                                          "dup2",
                                          "dup3",
                                          "euidaccess",
                                          "faccessat",
                                          "fallocate",
                                          "fallocate64",
                                          "fchmod",
                                          "fchmodat",
                                          "fchown",
                                          "fclose",
                                          "fcntl",
                                          "fcntl64",
                                          "fdatasync",
                                          "fdopen",
                                          "fgetxattr",
                                          "flock",
                                          "fopen",
                                          "fopen64",
                                          "fread",
                                          "freopen",
                                          "freopen64",
                                          "fseek",
                                          "fseeko",
                                          "fseeko64",
                                          "fsetxattr",
                                          "fstat",
                                          "fstat64",
                                          "fstatat",
                                          "fstatat64",
                                          "fstatfs",
                                          "fstatvfs",
                                          "fsync",
                                          "ftello",
                                          "ftello64",
                                          "ftruncate",
                                          "ftruncate64",
                                          "ftw",
                                          "futimens",
                                          "fwrite",
                                          "getxattr",
                                          "io_submit",
                                          "io_uring_enter",
                                          "lchown",
                                          "link",
                                          "linkat",
                                          "lockf",
                                          "lseek",
                                          "lseek64",
                                          "lstat",
                                          "lstat64",
                                          "mkdir",
                                          "mkdirat",
                                          "mknod",
                                          "mmap",
                                          "mmap64",
                                          "name_to_handle_at",
                                          "nftw",
                                          "open",
                                          "open64",
                                          "open_by_handle_at",
                                          "openat",
                                          "openat64",
                                          "opendir",
                                          "pclose",
                                          "popen",
                                          "posix_fadvise",
                                          "posix_fadvise64",
                                          "posix_fallocate",
                                          "posix_fallocate64",
                                          "pread",
                                          "pread64",
                                          "preadv",
                                          "preadv2",
                                          "preadv64",
                                          "preadv64v2",
                                          "pwrite",
                                          "pwrite64",
                                          "pwritev",
                                          "pwritev2",
                                          "pwritev64",
                                          "pwritev64v2",
                                          "read",
                                          "readahead",
                                          "readdir",
                                          "readdir64",
                                          "readlink",
                                          "readlinkat",
                                          "readv",
                                          "realpath",
                                          "remap_file_pages",
                                          "rename",
                                          "renameat",
                                          "renameat2",
                                          "rmdir",
                                          "scandir",
                                          "sendfile",
                                          "sendfile64",
                                          "setxattr",
                                          "shm_open",
                                          "shm_unlink",
                                          "splice",
                                          "stat",
                                          "stat64",
                                          "statfs",
                                          "statfs64",
                                          "statvfs",
                                          "statx",
                                          "symlink",
                                          "symlinkat",
                                          "sync",
                                          "sync_file_range",
                                          "syncfs",
                                          "system",
                                          "tee",
                                          "truncate",
                                          "truncate64",
                                          "umask",
                                          "unlink",
                                          "unlinkat",
                                          "utimensat",
                                          "vmsplice",
                                          "write",
                                          "writev",
                                          "__fxstat",
                                          "__fxstat64",
                                          "__fxstatat",
                                          "__fxstatat64",
                                          "__lxstat",
                                          "__lxstat64",
                                          "__open64_2",
                                          "__open_2",
                                          "__openat64_2",
                                          "__openat_2",
                                          "__pread64_chk",
                                          "__pread_chk",
                                          "__read_chk",
                                          "__readlink_chk",
                                          "__realpath_chk",
                                          "__xstat",
                                          "__xstat64"};

const std::set<std::string> kClassified = {
#define TARN_CALL(name, what) #name,
#include "shim/calls.def"
#undef TARN_CALL
};

const std::set<std::string> kServed = [] {
    std::set<std::string> served;
#define TARN_CALL(name, what) \
    if (std::string(#what) == "served") served.insert(#name);
#include "shim/calls.def"
#undef TARN_CALL
    return served;
}();

// Names from `nm -D`, without their versions.
std::vector<std::string> symbols(const std::string& file, const char* which) {
    std::string command = "nm -D --" + std::string(which) + " '" + file + "'";
    std::vector<std::string> names;
    FILE* pipe = ::popen(command.c_str(), "r");
    char line[1024];
    while (pipe && std::fgets(line, sizeof line, pipe)) {
        std::string text(line);
        text.erase(text.find_last_not_of(" \n") + 1);
        text.erase(0, text.find_last_of(' ') + 1);
        names.push_back(text.substr(0, text.find('@')));
    }
    EXPECT_EQ(pipe ? ::pclose(pipe) : -1, 0) << command;
    return names;
}

TEST(Imports, EveryFileCallOfEveryPostgresIsClassified) {
    size_t binaries = 0;
    for (int major : {16, 17, 18}) {
        auto directory = pg::testing::find_binaries(major);
        if (!directory) continue;
        ++binaries;
        for (const std::string& name : symbols(*directory + "/postgres", "undefined-only"))
            EXPECT_TRUE(!kFileCalls.contains(name) || kClassified.contains(name))
                << name << " of PostgreSQL " << major;
    }
    EXPECT_GT(binaries, 0u) << "no PostgreSQL found; run script/setup";
}

TEST(Imports, TheShimExportsWhatItServesAndNothingElse) {
    std::set<std::string> exported;
    for (const std::string& name : symbols(TARN_SHIM_FILE, "defined-only")) exported.insert(name);
    EXPECT_EQ(exported, kServed);
}

TEST(Imports, TheShimNeedsLibcAlone) {
    std::string command = std::string("readelf -d '") + TARN_SHIM_FILE + "'";
    FILE* pipe = ::popen(command.c_str(), "r");
    char line[1024];
    std::vector<std::string> needed;
    while (pipe && std::fgets(line, sizeof line, pipe)) {
        std::string text(line);
        if (auto at = text.find("(NEEDED)"); at != text.npos)
            needed.push_back(text.substr(text.find('[') + 1, text.find(']') - text.find('[') - 1));
    }
    if (pipe) ::pclose(pipe);
    EXPECT_EQ(needed, std::vector<std::string>{"libc.so.6"});
}

}  // namespace
}  // namespace tarn
