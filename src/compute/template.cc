#include "compute/template.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "base/log.h"
#include "compute/import.h"
#include "compute/lost_records.h"
#include "compute/probe.h"
#include "compute/run.h"
#include "sys/descriptor.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

// One statement a line: single-user mode ends each at its newline.
constexpr std::string_view kBirthSql =
    "CREATE ROLE databricks_superuser NOLOGIN CREATEDB CREATEROLE BYPASSRLS\n"
    "GRANT pg_read_all_data, pg_write_all_data, pg_monitor, pg_signal_backend, pg_checkpoint "
    "TO databricks_superuser\n"
    "CREATE DATABASE databricks_postgres OWNER databricks_superuser\n";

Result<void> make_cluster(const PostgresInstall& postgres, const ComputeUser& user,
                          const std::string& pgdata) {
    std::vector<std::string> initdb{postgres.initdb(),
                                    "-D",
                                    pgdata,
                                    "-U",
                                    kBootstrapUser,
                                    "--auth=trust",
                                    "--encoding=UTF8",
                                    "--locale=C.UTF-8",
                                    "--no-sync",
                                    "--no-instructions"};
    if (postgres.major >= 17) {
        initdb.emplace_back("--locale-provider=builtin");
        initdb.emplace_back("--builtin-locale=C.UTF-8");
    }
    // The store has its own checksums; PostgreSQL's would make WAL of every hint bit.
    if (postgres.major >= 18) initdb.emplace_back("--no-data-checksums");
    TRY(run({.command = initdb, .environment = {"LANG=C.UTF-8"}, .user = &user}));
    auto output = TRY(run({.command = {postgres.postgres(), "--single", "-D", pgdata, "-c",
                                       "log_checkpoints=off", "postgres"},
                           .environment = {"LANG=C.UTF-8"},
                           .user = &user,
                           .input = std::string(kBirthSql)}));
    // Single-user mode goes on after an error and exits with 0.
    for (const char* word : {"ERROR:", "FATAL:", "PANIC:"})
        if (output.find(word) != std::string::npos)
            return program_error("make the template's roles and database", output);
    return {};
}

Result<void> make_template(store::Store& store, const PostgresInstall& postgres,
                           const ComputeUser& user, const std::string& scratch) {
    std::string pgdata = fmt::format("{}/{}", scratch, postgres.major);
    TRY(sys::remove_tree(sys::real_disk(), pgdata));
    log::info("compute: making the template of PostgreSQL {}", postgres.version);
    TRY_CTX(make_cluster(postgres, user, pgdata), "make a cluster of PostgreSQL {}",
            postgres.version);
    TRY(remove_attempt(store, template_lineage(postgres.major)));
    TRY_CTX(import_cluster(store, pgdata, template_lineage(postgres.major)),
            "import the template of PostgreSQL {}", postgres.version);
    return sys::remove_tree(sys::real_disk(), pgdata);
}

}  // namespace

Result<bool> ensure_template(store::Store& store, const PostgresInstall& postgres,
                             const ComputeUser& user, const std::string& scratch) {
    std::string path = fmt::format("{}/{}.lock", scratch, postgres.major);
    sys::Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.is_open() || ::flock(lock.fd(), LOCK_EX) != 0)
        return errno_error(errno, fmt::format("lock {}", path));
    auto point = store.newest_restore_point(template_lineage(postgres.major));
    if (point) return false;
    if (point.error().code() != Code::not_found) return std::move(point).error();
    TRY(make_template(store, postgres, user, scratch));
    return true;
}

}  // namespace tarn::compute
