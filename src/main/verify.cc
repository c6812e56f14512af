#include "main/verify.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>

#include "compute/layout.h"
#include "compute/user.h"
#include "compute/verify_store.h"
#include "main/serve_options.h"
#include "main/verify_report.h"
#include "sys/files.h"

namespace tarn {

namespace {

using Clock = std::chrono::steady_clock;

int report(const Error& failure) {
    std::fprintf(stderr, "tarn: %s\n", failure.message().c_str());
    if (!failure.hint().empty()) std::fprintf(stderr, "hint: %s\n", failure.hint().c_str());
    return info(failure.code()).exit_status;
}

// Root reads as the owner of the store: what is made on the way, and be it a lock, is the owner's.
Result<compute::ComputeUser> owner_of(const std::string& store_root) {
    struct stat status {};
    if (::stat(store_root.c_str(), &status) != 0) {
        Error failure = errno_error(errno, fmt::format("look at the store {}", store_root));
        if (failure.code() != Code::not_found) return failure;
        return std::move(failure).with_hint("name the server's data directory with --data-dir");
    }
    bool switches = ::geteuid() == 0 && status.st_uid != 0;
    return compute::ComputeUser{status.st_uid, status.st_gid, "", switches};
}

class ProgressLine {
  public:
    void show(const compute::VerifyProgress& now) {
        if (Clock::now() - shown_ < std::chrono::milliseconds(500)) return;
        shown_ = Clock::now();
        std::fprintf(stderr, "\rverify: lineage %zu of %zu, %llu pages, %llu MiB ", now.lineage,
                     now.lineages, static_cast<unsigned long long>(now.counts.pages),
                     static_cast<unsigned long long>(now.counts.bytes >> 20));
        any_ = true;
    }
    void end() const {
        if (any_) std::fputc('\n', stderr);
    }

  private:
    Clock::time_point shown_ = Clock::now();
    bool any_ = false;
};

Result<compute::StoreFindings> look(const std::string& data_directory,
                                    const VerifyOptions& options) {
    std::string root = compute::Layout(data_directory).store_root();
    auto user = TRY(owner_of(root));
    compute::ActAs acting(user);
    // Opening a store that is not there would make it.
    auto lineages = sys::list_names(sys::real_disk(), root + "/lineages");
    if (!lineages && lineages.error().code() == Code::permission_denied)
        return std::move(lineages).error().with_hint(
            "only the owner of the store and root can read it");
    TRY(std::move(lineages));
    auto store = TRY(store::Store::open(sys::real_disk(), root));
    compute::VerifyRequest request;
    for (const std::string& lineage : options.lineages)
        request.lineages.push_back(TRY(compute::parse_lineage_id(lineage)));
    ProgressLine line;
    if (options.progress || ::isatty(STDERR_FILENO))
        request.progress = [&line](const compute::VerifyProgress& now) { line.show(now); };
    auto findings = compute::verify_store(store, request);
    line.end();
    return findings;
}

}  // namespace

void add_verify_options(CLI::App& command, VerifyOptions& options) {
    add_data_directory_options(command, options.config_file, options.data_directory);
    command.add_option("--lineage", options.lineages,
                       "Only this one, 16 hexadecimal digits; may be repeated");
    command.add_flag("--json", options.json, "Print the result as one JSON object");
    command.add_flag("--progress", options.progress,
                     "Show on stderr how far it is, also where that is no terminal");
}

int verify(const CLI::App& command, const VerifyOptions& options) {
    auto begun = Clock::now();
    auto directory = find_data_directory(command, options.config_file, options.data_directory);
    if (!directory) return report(directory.error());
    auto findings = look(*directory, options);
    if (!findings) return report(findings.error());
    std::chrono::duration<double> seconds = Clock::now() - begun;
    std::fputs((options.json ? json_report(*findings, seconds.count())
                             : text_report(*findings, seconds.count()))
                   .c_str(),
               stdout);
    if (findings->damage_count() > 0) return info(Code::data_loss).exit_status;
    if (!findings->unchecked.empty())
        return info(findings->unchecked.front().why.code()).exit_status;
    return 0;
}

}  // namespace tarn
