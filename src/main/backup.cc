#include "main/backup.h"

#include <pthread.h>
#include <sys/stat.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "backup/backup.h"
#include "backup/prune.h"
#include "backup/repository.h"
#include "backup/restore.h"
#include "compute/layout.h"
#include "main/offline.h"
#include "main/progress_line.h"
#include "main/serve_options.h"
#include "sys/paths.h"
#include "sys/poller.h"

namespace tarn {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kList = "list";
constexpr const char* kRestore = "restore";
constexpr const char* kVerify = "verify";
constexpr const char* kPrune = "prune";

std::string size_text(uint64_t bytes) {
    if (bytes < 10 << 20) return fmt::format("{} KiB", (bytes + 1023) >> 10);
    return fmt::format("{} MiB", bytes >> 20);
}

void print_problems(const backup::Manifest& manifest) {
    for (const std::string& problem : manifest.problems)
        std::printf("damaged before it was backed up: %s\n", problem.c_str());
}

void print_lost(const backup::Lost& lost) {
    if (lost.whole_file)
        std::printf("lost: %s: %s\n", lost.path.c_str(), lost.why.c_str());
    else
        std::printf("lost: %s, %llu bytes from byte %llu: %s\n", lost.path.c_str(),
                    static_cast<unsigned long long>(lost.bytes),
                    static_cast<unsigned long long>(lost.offset), lost.why.c_str());
}

// Who reads the key reads the backups. No reason not to restore one.
void warn_of_open_key(const std::string& path) {
    struct stat there {};
    if (::stat(path.c_str(), &there) != 0 || (there.st_mode & 077) == 0) return;
    std::fprintf(stderr,
                 "tarn: key file %s is open to other users (mode %03o)\nhint: chmod 600 %s\n",
                 path.c_str(), there.st_mode & 0777, path.c_str());
}

// Until it is time again, or a signal says to end; false then.
bool wait_for_next(Clock::time_point begun, double seconds, const sigset_t& signals) {
    auto next =
        begun + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(next - Clock::now()).count();
    if (left < 0) left = 0;
    timespec wait{left / 1'000'000'000, left % 1'000'000'000};
    return ::sigtimedwait(&signals, nullptr, &wait) < 0;
}

void add_place(CLI::App& command, BackupOptions& options, const char* name, const char* what) {
    command.add_option(name, options.place.url, what)->envname("TARN_BACKUP");
    command.add_option("--endpoint-url", options.place.endpoint,
                       "Of a service that is not Amazon's");
    command.add_option("--region", options.place.region, "Of the bucket");
    command.add_option("--key-file", options.key_file,
                       "Encrypt with this key: openssl rand -hex 32");
    command.add_flag("--progress", options.progress,
                     "Show on stderr how far it is, also where that is no terminal");
}

Result<backup::Repository> open(const BackupOptions& options) {
    if (options.place.url.empty())
        return error(Code::invalid_argument, "it is not said where backups are")
            .with_hint("name a directory or s3://<bucket>/<prefix> with --to or --from");
    std::optional<objects::Key> key;
    if (!options.key_file.empty()) key = TRY(objects::read_key(options.key_file));
    auto store = TRY(objects::open_place(options.place));
    return backup::Repository(std::move(store), objects::Envelope(key));
}

Result<void> take(const CLI::App& command, const BackupOptions& options) {
    TRY(sys::raise_descriptor_limit());  // each lineage's history is held
    backup::BackupRequest request;
    request.data_directory =
        TRY(find_data_directory(command, options.config_file, options.data_directory));
    request.owner = TRY(owner_of(compute::Layout(request.data_directory).store_root()));
    request.version = TARN_VERSION;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    for (;;) {
        auto begun = Clock::now();
        ProgressLine line("backup", options.progress);
        request.progress = [&](const backup::BackupProgress& now) {
            line.show(fmt::format("file {} of {}, {} sent", now.file, now.files,
                                  size_text(now.sent.bytes)));
        };
        auto repository = TRY(open(options));
        auto done = backup::run_backup(repository, request);
        if (done) {
            std::printf("backup %s: %zu files, %s; %llu objects sent, %s\n", done->id.c_str(),
                        done->files.size(), size_text(done->bytes()).c_str(),
                        static_cast<unsigned long long>(repository.sent().objects),
                        size_text(repository.sent().bytes).c_str());
            print_problems(*done);
            std::fflush(stdout);
            request.replaces = done->id;
        }
        if (options.every == 0 || (!done && !info(done.error().code()).retryable)) {
            TRY(std::move(done));
            return {};
        }
        if (!done) report(done.error());
        ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        if (!wait_for_next(begun, options.every, signals)) return {};
        ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    }
}

Result<void> list(const BackupOptions& options) {
    auto repository = TRY(open(options));
    bool damaged = false;
    auto ids = TRY(repository.ids());
    if (ids.empty()) return repository.no_backup();
    for (const std::string& id : ids) {
        auto manifest = repository.manifest(id);
        if (!manifest && manifest.error().code() != Code::data_loss)
            return std::move(manifest).error();
        if (!manifest) {
            damaged = true;
            report(manifest.error());
        } else if (options.json) {
            std::printf("%s\n", nlohmann::json{{"id", manifest->id},
                                               {"taken", rfc3339(manifest->taken)},
                                               {"source", manifest->source},
                                               {"version", manifest->version},
                                               {"files", manifest->files.size()},
                                               {"bytes", manifest->bytes()},
                                               {"encrypted", manifest->encrypted}}
                                    .dump()
                                    .c_str());
        } else {
            std::printf("%s  taken %s from %s  %zu files, %s%s\n", manifest->id.c_str(),
                        rfc3339(manifest->taken).c_str(), manifest->source.c_str(),
                        manifest->files.size(), size_text(manifest->bytes()).c_str(),
                        manifest->encrypted ? ", encrypted" : "");
        }
    }
    if (damaged)
        return error(Code::data_loss, "not all of the backups can be read")
            .with_hint("docs/operate/backup.md says what to do when an object is damaged");
    return {};
}

Result<int> restore(const BackupOptions& options) {
    auto repository = TRY(open(options));
    backup::RestoreRequest request;
    request.data_directory = TRY(sys::absolute_path(options.target));
    request.backup = options.id;
    request.user = TRY(compute::find_compute_user(options.compute_user));
    ProgressLine line("backup", options.progress);
    request.progress = [&](size_t file, size_t files) {
        line.show(fmt::format("file {} of {}", file, files));
    };
    auto restored = TRY(backup::run_restore(repository, request));
    print_problems(restored.manifest);
    for (const backup::Lost& lost : restored.lost) print_lost(lost);
    std::printf("restored %s, taken %s, to %s\nstart it: tarn serve --data-dir %s\n",
                restored.manifest.id.c_str(), rfc3339(restored.manifest.taken).c_str(),
                request.data_directory.c_str(), request.data_directory.c_str());
    size_t missing = restored.lost.size() + restored.manifest.problems.size();
    if (missing == 0) return 0;
    std::printf("%zu parts are lost: tarn verify --data-dir %s says which moments rest on them\n",
                missing, request.data_directory.c_str());
    return info(Code::data_loss).exit_status;
}

Result<int> check(const BackupOptions& options) {
    auto repository = TRY(open(options));
    ProgressLine line("backup", options.progress);
    auto checked = TRY(backup::check_backup(repository, options.id, [&](size_t file, size_t files) {
        line.show(fmt::format("file {} of {}", file, files));
    }));
    print_problems(checked.manifest);
    for (const backup::Lost& lost : checked.lost) print_lost(lost);
    bool whole = checked.lost.empty() && checked.manifest.problems.empty();
    std::printf("%s: %s\n", checked.manifest.id.c_str(), whole ? "whole" : "damaged");
    return whole ? 0 : info(Code::data_loss).exit_status;
}

Result<void> prune(const BackupOptions& options) {
    if (!std::isfinite(options.keep_days))
        return error(Code::invalid_argument, "--keep-days is no number of days");
    auto repository = TRY(open(options));
    ProgressLine line("backup", options.progress);
    backup::PruneRequest request;
    request.patience = std::chrono::seconds(static_cast<int64_t>(options.wait));
    request.keep = std::chrono::duration_cast<Span>(
        std::chrono::duration<double, std::ratio<86400>>(options.keep_days));
    request.progress = [&](size_t object, size_t objects) {
        line.show(fmt::format("object {} of {}", object, objects));
    };
    auto pruned = TRY(backup::run_prune(repository, sys::real_clock(), request));
    std::printf("backups removed: %zu, with %zu objects, %s; left: %zu\n", pruned.backups,
                pruned.objects, size_text(pruned.bytes).c_str(), pruned.left);
    return {};
}

}  // namespace

void add_backup_options(CLI::App& command, BackupOptions& options) {
    add_data_directory_options(command, options.config_file, options.data_directory);
    add_place(command, options, "--to", "Where to: a directory, or s3://<bucket>/<prefix>");
    command
        .add_option("--every", options.every,
                    "Go on for ever, with a new backup every so many seconds")
        ->check(CLI::Range(1.0, 1e9));
    CLI::App* list = command.add_subcommand(kList, "Say which backups there are");
    add_place(*list, options, "--from", "Where they are");
    list->add_flag("--json", options.json, "Print one JSON object a line");
    CLI::App* restore = command.add_subcommand(kRestore, "Make a data directory of a backup");
    add_place(*restore, options, "--from", "Where it is");
    restore->add_option("--data-dir", options.target, "What to make: empty, or not there yet")
        ->required();
    restore
        ->add_option("--compute-user", options.compute_user,
                     "Unprivileged user of the computes, if the server is to be root")
        ->envname("TARN_COMPUTE_USER");
    CLI::App* verify = command.add_subcommand(kVerify, "Read all of a backup, and write nothing");
    add_place(*verify, options, "--from", "Where it is");
    CLI::App* prune = command.add_subcommand(kPrune, "Remove old backups, and what only they need");
    add_place(*prune, options, "--from", "Where they are");
    prune
        ->add_option("--keep-days", options.keep_days,
                     "Younger backups stay, and the newest anyway")
        ->required()
        ->check(CLI::Range(0.0, 1e5));
    prune->add_option("--wait", options.wait, "Seconds to wait for a backup that is under way")
        ->check(CLI::Range(0.0, 86400.0))
        ->capture_default_str();
    for (CLI::App* one : {restore, verify})
        one->add_option("--backup", options.id,
                        "Which one, as `list` names it; else the newest, if all are of one server");
}

int backup_command(const CLI::App& command, const BackupOptions& options) {
    warn_of_open_key(options.key_file);
    bool restores = command.got_subcommand(kRestore);
    if (restores || command.got_subcommand(kVerify)) {
        auto done = restores ? restore(options) : check(options);
        return done ? *done : report(done.error());
    }
    auto done = command.got_subcommand(kList)    ? list(options)
                : command.got_subcommand(kPrune) ? prune(options)
                                                 : take(command, options);
    return done ? 0 : report(done.error());
}

}  // namespace tarn
