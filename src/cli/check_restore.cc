#include "cli/check_restore.h"

#include <cstdio>

#include "cli/branch_name.h"
#include "cli/client.h"

namespace tarn::cli {

namespace {

using nlohmann::json;

// Every table and index is read.
constexpr int kSeconds = 24 * 3600;

void print(const json& check) {
    std::puts(fmt::format("{} at {}: {}, {} tables and indexes",
                          check.at("branch").get<std::string>(),
                          check.at("moment_time").get<std::string>(),
                          check.at("result").get<std::string>(), check.at("relations").dump())
                  .c_str());
    for (const json& failure : check.at("failures"))
        std::puts(failure.get<std::string>().c_str());
}

}  // namespace

void add_check_restore_options(CLI::App& command, CheckRestoreOptions& options) {
    command.add_option("branch", options.branch, "projects/PROJECT/branches/BRANCH")
        ->required()
        ->check(branch_form);
    command.add_option("--time", options.time,
                       "The moment (RFC 3339); one in the branch's window is drawn");
    command.add_option("--host", options.host, "http://ADDRESS:PORT of the API");
    command.add_option("--token", options.token, "Access token");
    command.add_option("-o,--output", options.output, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
}

Result<void> check_restore(const CheckRestoreOptions& options) {
    Client client(TRY(find_login(options.host, options.token)));
    json body = json::object();
    if (!options.time.empty()) body["time"] = options.time;
    json answer = TRY(client.post(
        fmt::format("/api/2.0/postgres/{}:check-restore", options.branch), body, kSeconds));
    if (options.output == "json")
        std::puts(answer.dump(2).c_str());
    else
        print(answer);
    if (answer.at("result") != "GOOD")
        return error(Code::data_loss, "{} failures", answer.at("failure_count").dump())
            .with_hint("docs/operate/verify.md says what to do");
    return {};
}

}  // namespace tarn::cli
