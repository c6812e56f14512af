#include "compute/settings_check.h"

#include <algorithm>

#include "compute/files.h"
#include "compute/postgres_config.h"
#include "compute/run.h"
#include "compute/shared_memory.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

std::string_view line_after(std::string_view text, size_t at) {
    return text.substr(at, text.find('\n', at) - at);
}

Result<void> make_scratch(const SuperviseSpec& spec, const std::string& control) {
    auto& disk = sys::real_disk();
    auto pgdata = spec.pgdata();
    // Of a server that ended in the middle.
    remove_shared_memory(pgdata);
    TRY(sys::remove_tree(disk, spec.directory));
    // Taking the shared memory empties the notification queue's directory.
    for (const char* directory : {"/global", "/pg_notify"})
        TRY(make_directories(pgdata + directory));
    TRY(sys::write_scratch(disk, pgdata + "/PG_VERSION", fmt::format("{}\n", spec.pg_major)));
    if (!control.empty()) TRY(sys::write_scratch(disk, pgdata + "/global/pg_control", control));
    return sys::write_scratch(disk, pgdata + "/postgresql.conf", postgresql_conf(spec, 0));
}

Result<void> try_way(const SuperviseSpec& spec, const ComputeUser& user,
                     const std::vector<std::string>& way) {
    auto command = command_line(spec);
    command.insert(command.begin() + 1, way.begin(), way.end());
    auto end =
        TRY(run_to_end({.command = command, .environment = {"LANG=C.UTF-8"}, .user = &user}));
    if (end.good) return {};
    auto failure = program_error("try settings out: " + end.how, end.output);
    auto refusal = refusal_in(end.output);
    if (refusal.message.empty() || failure.code() == Code::no_space) return failure;
    return error(Code::invalid_argument, "PostgreSQL {} refuses: {}", spec.pg_major,
                 refusal.message)
        .with_hint(refusal.hint);
}

}  // namespace

Refusal refusal_in(std::string_view printed) {
    // Of a bad line in its file PostgreSQL says what is wrong first, and last that the file is.
    constexpr std::string_view kSummary = "contains errors";
    Refusal refusal;
    for (std::string_view severity : {"LOG:  ", "ERROR:  ", "FATAL:  "}) {
        size_t at = printed.rfind(severity);
        if (at == printed.npos) continue;
        auto line = line_after(printed, at + severity.size());
        if (!line.ends_with(kSummary)) refusal.message = line;
    }
    // The generated file is no concern of whoever gave the setting.
    refusal.message.resize(std::min(refusal.message.size(), refusal.message.find(" in file \"")));
    if (size_t at = printed.rfind("HINT:  "); at != printed.npos)
        refusal.hint = line_after(printed, at + 7);
    return refusal;
}

Result<void> check_settings(const SuperviseSpec& spec, const ComputeUser& user,
                            const std::string& control) {
    {
        ActAs acting(user);
        TRY(make_scratch(spec, control));
    }
    auto outcome = try_way(spec, user, {"--check"});
    if (outcome && !control.empty()) outcome = try_way(spec, user, {"-C", "shared_memory_size"});
    ActAs acting(user);
    TRY(sys::remove_tree(sys::real_disk(), spec.directory));
    return outcome;
}

}  // namespace tarn::compute
