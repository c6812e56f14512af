#include "compute/pgdata.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "compute/files.h"
#include "pg/relation_path.h"
#include "store/format.h"

namespace tarn::compute {

namespace {

// What initdb makes. `base` and the SLRU directories get their files from the restore point.
constexpr const char* kDirectories[] = {"base",
                                        "global",
                                        "pg_commit_ts",
                                        "pg_dynshmem",
                                        "pg_logical",
                                        "pg_multixact",
                                        "pg_logical/mappings",
                                        "pg_logical/snapshots",
                                        "pg_notify",
                                        "pg_replslot",
                                        "pg_multixact/members",
                                        "pg_multixact/offsets",
                                        "pg_serial",
                                        "pg_snapshots",
                                        "pg_stat",
                                        "pg_stat_tmp",
                                        "pg_subtrans",
                                        "pg_tblspc",
                                        "pg_twophase",
                                        "pg_xact"};

constexpr std::string_view kControlStub =
    "This directory belongs to Tarn: its pages are in the page store, the files here are empty "
    "stubs.\n"
    "PostgreSQL cannot open it by itself. Use `tarn` to start the endpoint, and pg_dump to copy "
    "it.\n";

// Makes files below one directory; keeps the directory of the last one open, because the files of a
// restore point come sorted by directory.
class Sweep {
  public:
    explicit Sweep(std::string root) : root_(std::move(root)) {}

    Result<void> directory(const std::string& path) {
        std::string whole = path.empty() ? root_ : root_ + "/" + path;
        if (::mkdir(whole.c_str(), 0700) == 0 || errno == EEXIST) return {};
        if (errno != ENOENT || path.empty())
            return errno_error(errno, fmt::format("make directory {}", whole));
        auto slash = path.rfind('/');
        TRY(directory(slash == std::string::npos ? "" : path.substr(0, slash)));
        if (::mkdir(whole.c_str(), 0700) != 0 && errno != EEXIST)
            return errno_error(errno, fmt::format("make directory {}", whole));
        return {};
    }

    Result<Fd> create(std::string_view path) {
        auto slash = path.rfind('/');
        auto parent = slash == std::string_view::npos ? "" : path.substr(0, slash);
        if (!fd_.valid() || parent != parent_) TRY(enter(std::string(parent)));
        std::string name(slash == std::string_view::npos ? path : path.substr(slash + 1));
        Fd fd(::openat(fd_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        if (!fd.valid()) return errno_error(errno, fmt::format("create {}/{}", root_, path));
        return fd;
    }

    Result<void> file(std::string_view path, std::string_view contents) {
        Fd fd = TRY(create(path));
        ssize_t written = ::write(fd.get(), contents.data(), contents.size());
        if (written != static_cast<ssize_t>(contents.size()))
            return errno_error(written < 0 ? errno : ENOSPC,
                               fmt::format("write {}/{}", root_, path));
        return {};
    }

  private:
    Result<void> enter(const std::string& parent) {
        std::string whole = root_ + "/" + parent;
        int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
        fd_ = Fd(::open(whole.c_str(), flags));
        if (!fd_.valid()) {
            TRY(directory(parent));
            fd_ = Fd(::open(whole.c_str(), flags));
        }
        if (!fd_.valid()) return errno_error(errno, fmt::format("open directory {}", whole));
        parent_ = parent;
        return {};
    }

    std::string root_;
    std::string parent_;
    Fd fd_;
};

Result<void> make_stub(Sweep& sweep, const store::FileRecord& file, const char* version_directory) {
    char path[pg::kMaxPathSize];
    if (pg::format_path(file.id, version_directory, path, sizeof path) == 0)
        return error(Code::data_loss,
                     "the restore point lists a file {:x}:{:x} that PostgreSQL has not", file.id.hi,
                     file.id.lo);
    Fd fd = TRY(sweep.create(path));
    auto bytes = static_cast<off_t>(file.length) * static_cast<off_t>(store::kBlockBytes);
    if (bytes > 0 && ::ftruncate(fd.get(), bytes) != 0)
        return errno_error(errno, fmt::format("set the length of stub {}", path));
    return {};
}

// A path from a restore point must stay below PGDATA whatever the bytes say.
bool stays_below(std::string_view path) {
    return !path.empty() && path.front() != '/' && path.find("..") == std::string_view::npos &&
           path.find('\0') == std::string_view::npos;
}

}  // namespace

Result<void> materialise(const std::string& pgdata, const std::string& wal_directory, int major,
                         const store::RestorePoint& point) {
    const char* version_directory = pg::tablespace_version_directory(major);
    if (!version_directory) return error(Code::unimplemented, "PostgreSQL {} is not known", major);
    Sweep sweep(pgdata);
    TRY(sweep.directory(""));
    for (const char* path : kDirectories) TRY(sweep.directory(path));
    if (::symlink(wal_directory.c_str(), (pgdata + "/pg_wal").c_str()) != 0)
        return errno_error(errno, fmt::format("link {}/pg_wal to {}", pgdata, wal_directory));
    for (const auto& file : point.files) TRY(make_stub(sweep, file, version_directory));
    constexpr std::string_view kPrefix = restore_point_key::file_prefix;
    for (const auto& [key, contents] : point.attachments) {
        if (!key.starts_with(kPrefix)) continue;
        auto path = std::string_view(key).substr(kPrefix.size());
        if (!stays_below(path))
            return error(Code::data_loss, "restore point {} holds a file outside PGDATA: {}",
                         text_of(point.id), path);
        TRY(sweep.file(path, contents));
    }
    std::string stub(kControlStub);
    stub.resize(pg::kControlFileSize, '\0');
    return sweep.file("global/pg_control", stub);
}

bool is_small_file(std::string_view path, bool shut_down) {
    auto name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
    if (path == "PG_VERSION" || path == "postgresql.auto.conf" ||
        path == "pg_logical/replorigin_checkpoint")
        return true;
    if (path.starts_with("pg_twophase/")) return true;
    if (path.starts_with("pg_stat/"))
        return shut_down && name.find(".tmp") == std::string_view::npos;
    if (!path.starts_with("base/") && !path.starts_with("global/") &&
        !path.starts_with("pg_tblspc/"))
        return false;
    return name == "PG_VERSION" || name == "pg_filenode.map";
}

namespace {

// Adds the small files in one directory. A file that goes away meanwhile was not one to keep.
Result<void> collect(const std::string& pgdata, const std::string& directory, bool shut_down,
                     Attachments& found) {
    for (const auto& name : TRY(list_directory(pgdata + "/" + directory))) {
        std::string path = directory.empty() ? name : directory + "/" + name;
        if (!is_small_file(path, shut_down)) continue;
        auto contents = read_file(pgdata + "/" + path);
        if (!contents && contents.error().code() == Code::not_found) continue;
        found[restore_point_key::file_prefix + path] = TRY(std::move(contents));
    }
    return {};
}

// base/<database>, and pg_tblspc/<tablespace>/<version>/<database> of in-place tablespaces.
Result<std::vector<std::string>> database_directories(const std::string& pgdata) {
    std::vector<std::string> found;
    for (const auto& name : TRY(list_directory(pgdata + "/base"))) found.push_back("base/" + name);
    for (const auto& tablespace : TRY(list_directory(pgdata + "/pg_tblspc"))) {
        std::string path = "pg_tblspc/" + tablespace;
        for (const auto& version : TRY(list_directory(pgdata + "/" + path)))
            for (const auto& database : TRY(list_directory(pgdata + "/" + path + "/" + version)))
                found.push_back(path + "/" + version + "/" + database);
    }
    return found;
}

}  // namespace

Result<Attachments> small_files(const std::string& pgdata, bool shut_down) {
    Attachments found;
    for (const auto& name : {"PG_VERSION", "postgresql.auto.conf", "global/pg_filenode.map",
                             "pg_logical/replorigin_checkpoint"}) {
        auto contents = read_file(pgdata + "/" + name);
        if (!contents && contents.error().code() == Code::not_found) continue;
        found[std::string(restore_point_key::file_prefix) + name] = TRY(std::move(contents));
    }
    TRY(collect(pgdata, "pg_twophase", shut_down, found));
    TRY(collect(pgdata, "pg_stat", shut_down, found));
    for (const auto& directory : TRY(database_directories(pgdata))) {
        for (const char* name : {"PG_VERSION", "pg_filenode.map"}) {
            auto contents = read_file(pgdata + "/" + directory + "/" + name);
            if (!contents) continue;  // dropped meanwhile, or pgsql_tmp: replay settles both
            found[restore_point_key::file_prefix + directory + "/" + name] = std::move(*contents);
        }
    }
    return found;
}

}  // namespace tarn::compute
