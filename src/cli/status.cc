#include "cli/status.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "cli/client.h"

namespace tarn::cli {

namespace {

using nlohmann::json;

constexpr const char* kPath = "/api/tarn/v1/status";

// A field as text, "" if it is not there.
std::string text(const json& from, const char* field) {
    if (!from.contains(field)) return "";
    const json& value = from.at(field);
    if (value.is_number_float()) return fmt::format("{:g}", value.get<double>());
    return value.is_string() ? value.get<std::string>() : value.dump();
}

// The items of a list field; none if it is not there.
json items(const json& from, const char* field) {
    return from.is_object() && from.contains(field) && from.at(field).is_array() ? from.at(field)
                                                                                 : json::array();
}

struct Line {
    std::string name;
    json endpoint;
};

std::vector<Line> lines_of(const json& server) {
    std::vector<Line> lines;
    for (const json& project : items(server, "projects"))
        for (const json& branch : items(project, "branches"))
            for (const json& endpoint : items(branch, "endpoints"))
                lines.push_back(
                    {fmt::format("projects/{}/branches/{}/endpoints/{}", text(project, "project"),
                                 text(branch, "branch"), text(endpoint, "endpoint")),
                     endpoint});
    return lines;
}

void warn_of_full_disk(const json& server) {
    if (!server.contains("disk") || text(server["disk"], "state") == "enough") return;
    const json& disk = server["disk"];
    auto gib = [&](const char* field) {
        constexpr double kGiB = 1 << 30;
        return static_cast<double>(disk.value(field, uint64_t{0})) / kGiB;
    };
    bool critical = text(disk, "state") == "critical";
    std::puts(fmt::format("the disk is {}: {:.2f} GiB of {:.1f} GiB are free; {}",
                          critical ? "nearly full" : "filling up", gib("free_bytes"),
                          gib("total_bytes"),
                          critical ? "computes only read" : "nothing new can be made")
                  .c_str());
}

std::string megabytes(const json& from, const char* field) {
    if (!from.contains(field) || !from.at(field).is_number()) return "-";
    return fmt::format("{:.1f}", from.at(field).get<double>() / (1 << 20));
}

// "WHOLE 2026-11-22T10:00:00Z"; "-" if it was never looked at.
std::string verdict(const json& branch, const char* check) {
    if (!branch.contains(check)) return "-";
    std::string result = text(branch.at(check), "result");
    if (result.empty()) return branch.at(check).contains("failure") ? "UNREADABLE" : "-";
    return result + " " + text(branch.at(check), "time");
}

void print_branches(const json& server) {
    std::vector<std::pair<std::string, json>> lines;
    size_t width = 6;
    for (const json& project : items(server, "projects"))
        for (const json& branch : items(project, "branches")) {
            lines.emplace_back(fmt::format("projects/{}/branches/{}", text(project, "project"),
                                           text(branch, "branch")),
                               branch);
            width = std::max(width, lines.back().first.size());
        }
    if (lines.empty()) return;
    auto print = [&](auto&&... columns) {
        std::puts(fmt::format("{:{}}  {:>9}  {:>9}  {:>9}  {:>9}  {:>8}  {:29}  {}", columns...)
                      .c_str());
    };
    std::puts("");
    print("BRANCH", width, "SIZE", "VERSIONS", "WAL", "PINNED", "REPLAY S", "VERIFIED",
          "RESTORE CHECK");
    for (const auto& [name, branch] : lines) {
        json history = branch.contains("history") ? branch.at("history") : json::object();
        print(name, width, megabytes(branch, "logical_size_bytes"),
              megabytes(history, "version_bytes"), megabytes(history, "wal_bytes"),
              megabytes(history, "pinned_bytes"), text(history, "replay_max_seconds"),
              verdict(branch, "verification"), verdict(branch, "restore_check"));
        if (history.contains("failure"))
            std::puts(("  its history is not trimmed: " + text(history, "failure")).c_str());
        for (const char* check : {"verification", "restore_check"})
            if (branch.contains(check))
                for (const char* field : {"damages", "failures"})
                    for (const json& line : items(branch.at(check), field))
                        std::puts(("  " + line.get<std::string>()).c_str());
    }
}

void print_table(const json& server) {
    warn_of_full_disk(server);
    auto lines = lines_of(server);
    size_t width = 8;
    for (const Line& line : lines) width = std::max(width, line.name.size());
    auto print = [&](auto&&... columns) {
        std::puts(fmt::format("{:{}}  {:8}  {:7}  {:15}  {:20}  {}", columns...).c_str());
    };
    print("ENDPOINT", width, "STATE", "CU", "HOST", "LAST ACTIVE", "WHY");
    for (const auto& [name, endpoint] : lines)
        print(name, width, text(endpoint, "state"),
              text(endpoint, "min_cu") + "-" + text(endpoint, "max_cu"), text(endpoint, "host"),
              text(endpoint, "last_active_time"), text(endpoint, "reason"));
    if (lines.empty()) std::puts("no endpoints yet: create a project");
    print_branches(server);
    for (const json& operation : items(server, "pending_operations"))
        std::puts(fmt::format("pending: {} of {} since {}", text(operation, "kind"),
                              text(operation, "resource"), text(operation, "since"))
                      .c_str());
}

}  // namespace

void add_status_options(CLI::App& command, StatusOptions& options) {
    command.add_option("--host", options.host, "http://ADDRESS:PORT of the API");
    command.add_option("--token", options.token, "Access token");
    command.add_option("-o,--output", options.output, "table or json")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
}

Result<void> status(const StatusOptions& options) {
    Client client(TRY(find_login(options.host, options.token)));
    json server = TRY(client.get(kPath));
    if (options.output == "json")
        std::puts(server.dump(2).c_str());
    else
        print_table(server);
    return {};
}

}  // namespace tarn::cli
