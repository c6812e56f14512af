#include "meta/copy.h"

#include <unistd.h>

#include <cerrno>

#include "meta/sqlite.h"

namespace tarn::meta {

Result<void> copy_database(const std::string& from, const std::string& to) {
    if (::access(from.c_str(), F_OK) != 0) return errno_error(errno, "open " + from);
    for (const char* suffix : {"", "-wal", "-shm", "-journal"})
        if (::unlink((to + suffix).c_str()) != 0 && errno != ENOENT)
            return errno_error(errno, "remove " + to + suffix);
    auto source = TRY(Connection::open(from, true));
    auto target = TRY(Connection::open(to, false));
    TRY_CTX(target.copy_from(source), "copy {} to {}", from, to);
    // One file that says everything, and no journal beside it.
    return target.execute("PRAGMA journal_mode = DELETE;");
}

Result<void> check_database(const std::string& path) {
    auto connection = TRY(Connection::open(path, true));
    auto check = TRY(connection.prepare("PRAGMA quick_check(1)"));
    TRY(check.step());
    std::string found = check.text();
    if (found == "ok") return {};
    return error(Code::data_loss, "{} is damaged: {}", path, found);
}

Result<std::vector<std::string>> named_lineages(Session& session) {
    auto rows = TRY(session.connection().prepare(
        "SELECT lineage FROM branches UNION SELECT lineage FROM snapshots"));
    std::vector<std::string> lineages;
    while (TRY(rows.step())) lineages.push_back(rows.text());
    return lineages;
}

Result<std::optional<std::string>> project_of_lineage(Session& session, std::string_view lineage) {
    auto rows = TRY(
        session.connection().prepare("SELECT project_uid FROM branches WHERE lineage = ?1 UNION ALL"
                                     " SELECT project_uid FROM snapshots WHERE lineage = ?1"));
    rows.bind(lineage);
    if (!TRY(rows.step())) return std::optional<std::string>();
    return std::optional(rows.text());
}

}  // namespace tarn::meta
