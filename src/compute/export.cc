#include "compute/export.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "compute/export_files.h"
#include "compute/files.h"
#include "compute/layout.h"
#include "compute/run.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

Result<void> remove_contents(const std::string& directory) {
    for (const std::string& name : TRY(sys::list_names(sys::real_disk(), directory)))
        TRY(sys::remove_tree(sys::real_disk(), directory + "/" + name));
    return {};
}

// Recovery to the moment, a checkpoint, and a clean end, by stock PostgreSQL. Its settings come on
// the command line, so that none of them stays; what it writes it syncs.
Result<void> recover(const ExportTarget& target, const ComputeUser& owner, Lsn moment) {
    std::vector<std::string> command{target.postgres.postgres(), "--single", "-D",
                                     target.directory};
    for (const char* setting :
         {"restore_command=false", "recovery_target_timeline=latest", "hot_standby=off",
          "archive_mode=off", "fsync=on", "recovery_init_sync_method=syncfs",
          "ignore_invalid_pages=off", "logging_collector=off", "log_destination=stderr"}) {
        command.emplace_back("-c");
        command.emplace_back(setting);
    }
    for (const char* name : {"recovery_target", "recovery_target_lsn", "recovery_target_name",
                             "recovery_target_time", "recovery_target_xid"}) {
        command.emplace_back("-c");
        command.emplace_back(std::string(name) + "=");
    }
    command.emplace_back("postgres");
    auto ended =
        TRY(run_to_end({.command = command, .environment = {"LANG=C.UTF-8"}, .user = &owner}));
    if (!ended.good)
        return program_error(fmt::format("recover {}: {}", target.directory, ended.how),
                             ended.output);
    auto bytes = TRY(sys::read_file(sys::real_disk(), target.directory + "/global/pg_control"));
    auto control = TRY(pg::decode_control_file(std::as_bytes(std::span(bytes))));
    if (control.state != pg::ClusterState::shut_down || control.checkpoint < moment)
        return error(Code::internal, "recovery of {} ended {}, with a checkpoint at {}",
                     target.directory, pg::cluster_state_name(control.state),
                     control.checkpoint.text());
    return {};
}

}  // namespace

Result<ComputeUser> owner_of_export(const ExportTarget& target) {
    struct stat status {};
    if (::stat(target.directory.c_str(), &status) != 0) {
        if (errno != ENOENT) return errno_error(errno, fmt::format("look at {}", target.directory));
        return target.owner;
    }
    if (!S_ISDIR(status.st_mode))
        return error(Code::bad_request, "{} is no directory", target.directory)
            .with_hint("name a directory that is empty or not there");
    if (!TRY(sys::list_names(sys::real_disk(), target.directory)).empty())
        return error(Code::bad_request, "{} is not empty", target.directory)
            .with_hint("name a directory that is empty or not there");
    if (::geteuid() != 0 && status.st_uid != ::geteuid())
        return error(Code::permission_denied, "{} belongs to somebody else", target.directory)
            .with_hint("export as its owner, or to a directory of your own");
    if (status.st_uid == 0 || !target.owner.switches) return target.owner;
    return ComputeUser{status.st_uid, status.st_gid, "", true};
}

Result<void> export_moment(const store::Store& store, const MomentSource& source,
                           const ExportTarget& target) {
    const std::string& directory = target.directory;
    auto owner = TRY(owner_of_export(target));
    bool made = !exists(directory);
    if (made) {
        auto created = sys::make_directory(sys::real_disk(), directory);
        if (!created)
            return std::move(created).error().with_hint(
                "make the directory above it, or name another");
    }
    auto written = [&]() -> Result<void> {
        if (::chmod(directory.c_str(), 0700) != 0)
            return errno_error(errno, fmt::format("close {} to others", directory));
        TRY(write_cluster(store, source, directory));
        TRY(give_away(directory, owner));
        TRY(check_access(owner, directory, X_OK));
        return recover(target, owner, source.end.end);
    }();
    if (written) return {};
    // What failed is what the caller wants to hear of.
    auto removed = remove_contents(directory);
    if (removed && made) sys::real_disk().remove_directory(directory.c_str());
    return written;
}

}  // namespace tarn::compute
