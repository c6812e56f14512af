#include "compute/settings_check.h"

#include <algorithm>

#include "compute/files.h"
#include "compute/postgres_config.h"
#include "compute/run.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

std::string_view line_after(std::string_view text, size_t at) {
    return text.substr(at, text.find('\n', at) - at);
}

Result<void> make_scratch(const SuperviseSpec& spec, const std::string& control) {
    auto& disk = sys::real_disk();
    auto pgdata = spec.pgdata();
    TRY(sys::remove_tree(disk, spec.directory));  // of a server that ended in the middle
    TRY(make_directories(pgdata + "/global"));
    TRY(sys::write_scratch(disk, pgdata + "/PG_VERSION", fmt::format("{}\n", spec.pg_major)));
    if (!control.empty()) TRY(sys::write_scratch(disk, pgdata + "/global/pg_control", control));
    return sys::write_scratch(disk, pgdata + "/postgresql.conf", postgresql_conf(spec, 0));
}

Result<void> try_way(const SuperviseSpec& spec, const ComputeUser& user,
                     const std::vector<std::string>& way) {
    auto command = command_line(spec);
    command.insert(command.begin() + 1, way.begin(), way.end());
    auto tried = run({.command = command, .environment = {"LANG=C.UTF-8"}, .user = &user});
    if (tried) return {};
    auto complaint = complaint_in(tried.error().message());
    if (complaint.message.empty())
        return std::move(std::move(tried).error()).context("try settings out");
    return error(Code::invalid_argument, "PostgreSQL {} refuses: {}", spec.pg_major,
                 complaint.message)
        .with_hint(complaint.hint);
}

}  // namespace

Complaint complaint_in(std::string_view printed) {
    // Of a bad line in its file PostgreSQL says what is wrong first, and last that the file is.
    constexpr std::string_view kSummary = "contains errors";
    Complaint complaint;
    for (std::string_view severity : {"LOG:  ", "ERROR:  ", "FATAL:  "}) {
        size_t at = printed.rfind(severity);
        if (at == printed.npos) continue;
        auto line = line_after(printed, at + severity.size());
        if (!line.ends_with(kSummary)) complaint.message = line;
    }
    // The generated file is no concern of whoever gave the setting.
    complaint.message.resize(
        std::min(complaint.message.size(), complaint.message.find(" in file \"")));
    if (size_t at = printed.rfind("HINT:  "); at != printed.npos)
        complaint.hint = line_after(printed, at + 7);
    return complaint;
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
