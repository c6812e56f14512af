#include "cli/status.h"

#include <cstdio>

#include "cli/client.h"

namespace tarn::cli {

namespace {

using nlohmann::json;

constexpr const char* kRoot = "/api/2.0/postgres/";

// A text field somewhere inside, "" if it is not there.
std::string text(const json& from, const std::string& pointer) {
    json::json_pointer at(pointer);
    if (!from.contains(at)) return "";
    const json& value = from.at(at);
    return value.is_string() ? value.get<std::string>() : value.dump();
}

// Every endpoint, one after the other.
Result<json> endpoints(const Client& client) {
    auto all = json::array();
    for (const json& project : TRY(client.list(std::string(kRoot) + "projects", "projects")))
        for (const json& branch :
             TRY(client.list(kRoot + text(project, "/name") + "/branches", "branches")))
            for (const json& endpoint :
                 TRY(client.list(kRoot + text(branch, "/name") + "/endpoints", "endpoints")))
                all.push_back(endpoint);
    return all;
}

std::string cu_range(const json& endpoint) {
    return text(endpoint, "/status/autoscaling_limit_min_cu") + "-" +
           text(endpoint, "/status/autoscaling_limit_max_cu");
}

void print_table(const json& all) {
    size_t width = 8;
    for (const json& endpoint : all) width = std::max(width, text(endpoint, "/name").size());
    std::string line = fmt::format("{:{}}  {:8}  {:7}  {:15}  {}", "ENDPOINT", width, "STATE", "CU",
                                   "HOST", "LAST ACTIVE");
    std::puts(line.c_str());
    for (const json& endpoint : all) {
        line = fmt::format("{:{}}  {:8}  {:7}  {:15}  {}", text(endpoint, "/name"), width,
                           text(endpoint, "/status/current_state"), cu_range(endpoint),
                           text(endpoint, "/status/hosts/host"),
                           text(endpoint, "/status/last_active_time"));
        std::puts(line.c_str());
    }
    if (all.empty()) std::puts("no endpoints yet: create a project");
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
    json all = TRY(endpoints(client));
    if (options.output == "json")
        std::puts(all.dump(2).c_str());
    else
        print_table(all);
    return {};
}

}  // namespace tarn::cli
