#include "compute/pgdata.h"

#include "pg/relation_path.h"
#include "pg/twophase_file.h"
#include "store/format.h"
#include "sys/files.h"
#include "sys/paths.h"

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

Result<void> add_stub(StubTree& tree, const store::FileRecord& file,
                      const char* version_directory) {
    char path[pg::kMaxPathSize];
    if (pg::format_path(file.id, version_directory, path, sizeof path) == 0)
        return error(Code::data_loss,
                     "the restore point lists a file {:x}:{:x} that PostgreSQL has not", file.id.hi,
                     file.id.lo);
    tree.stub(path, uint64_t{file.length} * store::kBlockBytes);
    return {};
}

}  // namespace

Result<void> plan_pgdata(StubTree& tree, int major, const store::RestorePoint& point) {
    const char* version_directory = pg::tablespace_version_directory(major);
    if (!version_directory) return error(Code::unimplemented, "PostgreSQL {} is not known", major);
    for (const char* path : kDirectories) tree.directory(path);
    for (const auto& file : point.files) TRY(add_stub(tree, file, version_directory));
    constexpr std::string_view kPrefix = restore_point_key::file_prefix;
    for (const auto& [key, contents] : point.attachments) {
        if (!key.starts_with(kPrefix)) continue;
        auto path = std::string_view(key).substr(kPrefix.size());
        if (!sys::stays_below(path))
            return error(Code::data_loss, "restore point {} holds a file outside PGDATA: {}",
                         text_of(point.id), path);
        tree.file(path, contents);
    }
    return {};
}

Result<void> materialise(const std::string& pgdata, const std::string& wal_directory, int major,
                         const store::RestorePoint& point) {
    StubTree tree;
    TRY(plan_pgdata(tree, major, point));
    tree.symbolic_link("pg_wal", wal_directory);
    std::string stub(kControlStub);
    stub.resize(pg::kControlFileSize, '\0');
    tree.file("global/pg_control", stub);
    return tree.apply(pgdata);
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
    for (const auto& name :
         TRY(sys::list_names_if_any(sys::real_disk(), pgdata + "/" + directory))) {
        std::string path = directory.empty() ? name : directory + "/" + name;
        if (!is_small_file(path, shut_down)) continue;
        auto contents = sys::read_file(sys::real_disk(), pgdata + "/" + path);
        if (!contents && contents.error().code() == Code::not_found) continue;
        // Half written by the next checkpoint: it was prepared after this one, and WAL has it.
        if (contents && directory == "pg_twophase" && !pg::is_whole_twophase_file(*contents))
            continue;
        found[restore_point_key::file_prefix + path] = TRY(std::move(contents));
    }
    return {};
}

// base/<database>, and pg_tblspc/<tablespace>/<version>/<database> of in-place tablespaces.
Result<std::vector<std::string>> database_directories(const std::string& pgdata) {
    std::vector<std::string> found;
    for (const auto& name : TRY(sys::list_names_if_any(sys::real_disk(), pgdata + "/base")))
        found.push_back("base/" + name);
    for (const auto& tablespace :
         TRY(sys::list_names_if_any(sys::real_disk(), pgdata + "/pg_tblspc"))) {
        std::string path = "pg_tblspc/" + tablespace;
        for (const auto& version :
             TRY(sys::list_names_if_any(sys::real_disk(), pgdata + "/" + path)))
            for (const auto& database :
                 TRY(sys::list_names_if_any(sys::real_disk(), pgdata + "/" + path + "/" + version)))
                found.push_back(path + "/" + version + "/" + database);
    }
    return found;
}

}  // namespace

Result<Attachments> small_files(const std::string& pgdata, bool shut_down) {
    Attachments found;
    for (const auto& name : {"PG_VERSION", "postgresql.auto.conf", "global/pg_filenode.map",
                             "pg_logical/replorigin_checkpoint"}) {
        auto contents = sys::read_file(sys::real_disk(), pgdata + "/" + name);
        if (!contents && contents.error().code() == Code::not_found) continue;
        found[std::string(restore_point_key::file_prefix) + name] = TRY(std::move(contents));
    }
    TRY(collect(pgdata, "pg_twophase", shut_down, found));
    TRY(collect(pgdata, "pg_stat", shut_down, found));
    for (const auto& directory : TRY(database_directories(pgdata))) {
        for (const char* name : {"PG_VERSION", "pg_filenode.map"}) {
            auto contents = sys::read_file(sys::real_disk(), pgdata + "/" + directory + "/" + name);
            if (!contents) continue;  // dropped meanwhile, or pgsql_tmp: replay settles both
            found[restore_point_key::file_prefix + directory + "/" + name] = std::move(*contents);
        }
    }
    return found;
}

}  // namespace tarn::compute
