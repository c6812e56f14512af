#include "cli/diff.h"

#include <algorithm>
#include <cstdio>

#include "cli/branch_name.h"
#include "cli/client.h"

namespace tarn::cli {

namespace {

using nlohmann::json;

// Rows are compared for as long as it takes.
constexpr int kSeconds = 24 * 3600;

// A position has a '/', a time has none.
void put_moment(json& body, const char* which, const std::string& at) {
    if (at.empty()) return;
    bool is_lsn = at.find('/') != at.npos;
    body[fmt::format("{}_{}", which, is_lsn ? "lsn" : "time")] = at;
}

void print_schema(const json& changes) {
    for (const json& change : changes)
        std::puts(fmt::format("-- {} {} {}\n{};\n", change.at("change").get<std::string>(),
                              change.at("kind").get<std::string>(),
                              change.at("name").get<std::string>(),
                              change.at("ddl").get<std::string>())
                      .c_str());
}

void print_relations(const json& relations) {
    if (relations.empty()) return;
    size_t width = 8;
    for (const json& each : relations)
        width = std::max(width, each.at("name").get<std::string>().size());
    auto print = [&](auto&&... columns) {
        std::puts(
            fmt::format("-- {:{}}  {:8} {:>10} {:>10} {:>10} {:>10} {:>10}", columns...).c_str());
    };
    auto number = [](const json& from, const char* field) {
        return from.contains(field) ? from.at(field).dump() : std::string("-");
    };
    print("RELATION", width, "CHANGE", "BLOCKS", "TOAST", "INSERTED", "DELETED", "UPDATED");
    for (const json& each : relations)
        print(each.at("name").get<std::string>(), width, each.at("change").get<std::string>(),
              number(each, "changed_blocks"), number(each, "changed_toast_blocks"),
              number(each, "rows_inserted"), number(each, "rows_deleted"),
              number(each, "rows_updated"));
    std::puts("");
}

std::string text_of(const json& side) {
    return fmt::format("{} at {} ({})", side.at("branch").get<std::string>(),
                       side.at("time").get<std::string>(), side.at("lsn").get<std::string>());
}

void print(const json& diff) {
    std::puts(
        fmt::format("-- from {}\n-- to   {}\n", text_of(diff.at("from")), text_of(diff.at("to")))
            .c_str());
    print_schema(diff.at("schema"));
    for (const json& database : diff.at("databases")) {
        std::puts(
            fmt::format("-- database {}\n", database.at("database").get<std::string>()).c_str());
        print_schema(database.at("schema"));
        print_relations(database.at("relations"));
    }
    if (diff.at("schema").empty() && diff.at("databases").empty()) std::puts("-- no difference");
}

}  // namespace

void add_diff_options(CLI::App& command, DiffOptions& options) {
    command.add_option("from", options.from, "projects/PROJECT/branches/BRANCH")
        ->required()
        ->check(branch_form);
    command
        .add_option("to", options.to, "The other branch, of the same project; without it, the same")
        ->check(branch_form);
    command.add_option("--from-at", options.from_at,
                       "Its moment: a time (RFC 3339) or an LSN; now");
    command.add_option("--to-at", options.to_at, "The other's moment; now");
    command.add_option("--host", options.host, "http://ADDRESS:PORT of the API");
    command.add_option("--token", options.token, "Access token");
    command.add_option("-o,--output", options.output, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
}

Result<void> diff(const DiffOptions& options) {
    Client client(TRY(find_login(options.host, options.token)));
    json body = json::object();
    if (!options.to.empty()) body["to_branch"] = options.to;
    put_moment(body, "from", options.from_at);
    put_moment(body, "to", options.to_at);
    json answer =
        TRY(client.post(fmt::format("/api/2.0/postgres/{}:diff", options.from), body, kSeconds));
    if (options.output == "json")
        std::puts(answer.dump(2).c_str());
    else
        print(answer);
    return {};
}

}  // namespace tarn::cli
