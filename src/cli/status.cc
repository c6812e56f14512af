#include "cli/status.h"

#include <cstdio>
#include <vector>

#include "cli/client.h"
#include "cli/table.h"

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

void warn_of_late_records(const json& server) {
    if (!server.contains("records") || text(server["records"], "state") != "behind") return;
    const json& records = server["records"];
    std::puts(
        fmt::format("the records of the metadata are behind since {} ({} of them): {}",
                    text(records, "behind_since"), text(records, "behind_count"),
                    records.contains("failure") ? text(records, "failure") : "the disk takes long")
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

void add_branch(Table& table, const std::string& name, const json& branch) {
    json history = branch.contains("history") ? branch.at("history") : json::object();
    table.add({name, megabytes(branch, "logical_size_bytes"), megabytes(history, "version_bytes"),
               megabytes(history, "wal_bytes"), megabytes(history, "pinned_bytes"),
               text(history, "replay_max_seconds"), verdict(branch, "verification"),
               verdict(branch, "restore_check")});
    if (history.contains("failure"))
        table.add_line("  looking after its history failed: " + text(history, "failure"));
    for (const char* check : {"verification", "restore_check"})
        if (branch.contains(check))
            for (const char* field : {"damages", "failures"})
                for (const json& line : items(branch.at(check), field))
                    table.add_line("  " + line.get<std::string>());
}

void print_branches(const json& server) {
    Table table({"BRANCH", ">SIZE", ">VERSIONS", ">WAL", ">PINNED", ">REPLAY S", "VERIFIED",
                 "RESTORE CHECK"});
    bool any = false;
    for (const json& project : items(server, "projects"))
        for (const json& branch : items(project, "branches")) {
            any = true;
            add_branch(table,
                       fmt::format("projects/{}/branches/{}", text(project, "project"),
                                   text(branch, "branch")),
                       branch);
        }
    if (any) std::printf("\n%s", table.text().c_str());
}

void print_endpoints(const json& server) {
    Table table({"ENDPOINT", "STATE", "CU", "HOST", "LAST ACTIVE", "WHY"});
    auto lines = lines_of(server);
    for (const auto& [name, endpoint] : lines)
        table.add({name, text(endpoint, "state"),
                   text(endpoint, "min_cu") + "-" + text(endpoint, "max_cu"),
                   text(endpoint, "host"), text(endpoint, "last_active_time"),
                   text(endpoint, "reason")});
    std::fputs(table.text().c_str(), stdout);
    if (lines.empty()) std::puts("no endpoints yet: create a project");
}

void print_table(const json& server) {
    warn_of_full_disk(server);
    warn_of_late_records(server);
    print_endpoints(server);
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
