// `tarn`: one program, its commands chosen by the first word.

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "cli/check_restore.h"
#include "cli/diff.h"
#include "cli/status.h"
#include "compute/supervisor.h"
#include "main/backup.h"
#include "main/export.h"
#include "main/inspect.h"
#include "main/offline.h"
#include "main/recover_metadata.h"
#include "main/serve.h"
#include "main/usage.h"
#include "main/verify.h"

namespace {

int run_serve(CLI::App& command, tarn::ServeOptions& options) {
    auto ready = tarn::complete(command, options);
    if (!ready.ok()) return tarn::report(ready.error());
    tarn::log::init(ready->log_level);
    auto served = tarn::serve(*ready);
    return served.ok() ? 0 : tarn::report(served.error());
}

int run_status(const tarn::cli::StatusOptions& options) {
    auto shown = tarn::cli::status(options);
    return shown.ok() ? 0 : tarn::report(shown.error());
}

int run_diff(const tarn::cli::DiffOptions& options) {
    auto shown = tarn::cli::diff(options);
    return shown.ok() ? 0 : report(shown.error());
}

int run_check_restore(const tarn::cli::CheckRestoreOptions& options) {
    auto checked = tarn::cli::check_restore(options);
    return checked.ok() ? 0 : tarn::report(checked.error());
}

int run_verify(const CLI::App& command, const tarn::VerifyOptions& options) {
    // What its parts would warn a server's log of, it reports itself.
    tarn::log::init("error");
    return tarn::verify(command, options);
}

int run_export(const CLI::App& command, const tarn::ExportOptions& options) {
    tarn::log::init("error");
    auto exported = tarn::export_branch(command, options);
    return exported.ok() ? 0 : tarn::report(exported.error());
}

int run_recover_metadata(const CLI::App& command, const tarn::RecoverMetadataOptions& options) {
    tarn::log::init("error");
    return tarn::recover_metadata_command(command, options);
}

int run_backup(const CLI::App& command, const tarn::BackupOptions& options) {
    tarn::log::init("error");
    return tarn::backup_command(command, options);
}

int run_inspect(const CLI::App& command, const tarn::InspectOptions& options) {
    tarn::log::init("error");
    return tarn::inspect_command(command, options);
}

}  // namespace

int main(int count, char** words) {
    CLI::App app{"Tarn: branchable, sleeping PostgreSQL that the Lakebase tools speak to", "tarn"};
    app.require_subcommand(1);
    app.set_version_flag("--version", TARN_VERSION);

    tarn::ServeOptions serve_options;
    CLI::App* serve = app.add_subcommand("serve", "Run the server");
    tarn::add_serve_options(*serve, serve_options);

    tarn::cli::StatusOptions status_options;
    CLI::App* status = app.add_subcommand("status", "Show what a server runs, and where");
    tarn::cli::add_status_options(*status, status_options);

    tarn::cli::DiffOptions diff_options;
    CLI::App* diff = app.add_subcommand("diff", "Show what differs between two branches");
    tarn::cli::add_diff_options(*diff, diff_options);

    tarn::cli::CheckRestoreOptions check_options;
    CLI::App* check_restore =
        app.add_subcommand("check-restore", "Open a branch at a moment and check all of it");
    tarn::cli::add_check_restore_options(*check_restore, check_options);

    tarn::VerifyOptions verify_options;
    CLI::App* verify = app.add_subcommand("verify", "Read a server's store and say if it is whole");
    tarn::add_verify_options(*verify, verify_options);

    tarn::ExportOptions export_options;
    CLI::App* exporting =
        app.add_subcommand("export", "Write a branch as a data directory for stock PostgreSQL");
    tarn::add_export_options(*exporting, export_options);

    tarn::InspectOptions inspect_options;
    CLI::App* inspecting =
        app.add_subcommand("inspect", "Show any file of the store, or the store as a tree");
    tarn::add_inspect_options(*inspecting, inspect_options);

    tarn::RecoverMetadataOptions recovery_options;
    CLI::App* recovering =
        app.add_subcommand("recover-metadata", "Make a lost metadata database of its records");
    tarn::add_recover_metadata_options(*recovering, recovery_options);

    tarn::BackupOptions backup_options;
    CLI::App* backing_up =
        app.add_subcommand("backup", "Copy everything away from this machine, and back");
    tarn::add_backup_options(*backing_up, backup_options);

    std::string spec_file;
    CLI::App* supervise = app.add_subcommand("supervise", "(internal) own one running compute");
    supervise->group("");
    supervise->add_option("spec", spec_file)->required();

    try {
        app.parse(count, words);
    } catch (const CLI::ParseError& failure) {
        if (failure.get_exit_code() == 0) return app.exit(failure);  // --help, --version
        return tarn::report(tarn::usage_error(app, failure));
    }
    if (*serve) return run_serve(*serve, serve_options);
    if (*status) return run_status(status_options);
    if (*diff) return run_diff(diff_options);
    if (*check_restore) return run_check_restore(check_options);
    if (*verify) return run_verify(*verify, verify_options);
    if (*backing_up) return run_backup(*backing_up, backup_options);
    if (*inspecting) return run_inspect(*inspecting, inspect_options);
    if (*recovering) return run_recover_metadata(*recovering, recovery_options);
    if (*exporting) return run_export(*exporting, export_options);
    tarn::log::init("info");
    return tarn::compute::supervise(spec_file, tarn::compute::kControlDescriptor);
}
