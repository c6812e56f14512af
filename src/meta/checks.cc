#include "meta/checks.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define VERIFICATION_COLUMNS                                                      \
    "lineage, seen_time, verify_time, whole_time, bytes, damage_count, damages, " \
    "newest_whole_lsn, newest_whole_time, failure"
#define RESTORE_CHECK_COLUMNS                                                             \
    "lineage, check_time, good_time, moment_lsn, moment_time, relations, failure_count, " \
    "failures"

VerificationRow read_verification(Statement& statement) {
    VerificationRow row;
    row.lineage = statement.text();
    row.seen_time = statement.time();
    row.verify_time = statement.maybe_time();
    row.whole_time = statement.maybe_time();
    row.bytes = statement.integer();
    row.damage_count = statement.integer();
    row.damages = statement.text();
    row.newest_whole_lsn = statement.maybe_lsn();
    row.newest_whole_time = statement.maybe_time();
    row.failure = statement.maybe_text();
    return row;
}

RestoreCheckRow read_restore_check(Statement& statement) {
    RestoreCheckRow row;
    row.lineage = statement.text();
    row.check_time = statement.time();
    row.good_time = statement.maybe_time();
    row.moment_lsn = statement.maybe_lsn();
    row.moment_time = statement.time();
    row.relations = statement.integer();
    row.failure_count = statement.integer();
    row.failures = statement.text();
    return row;
}

}  // namespace

Result<void> put_verification(Session& session, const VerificationRow& row) {
    return session.connection().run(
        "INSERT OR REPLACE INTO verifications (" VERIFICATION_COLUMNS
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row.lineage, row.seen_time, row.verify_time, row.whole_time, row.bytes, row.damage_count,
        row.damages, row.newest_whole_lsn, row.newest_whole_time, row.failure);
}

Result<void> put_restore_check(Session& session, const RestoreCheckRow& row) {
    return session.connection().run(
        "INSERT OR REPLACE INTO restore_checks (" RESTORE_CHECK_COLUMNS
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        row.lineage, row.check_time, row.good_time, row.moment_lsn, row.moment_time, row.relations,
        row.failure_count, row.failures);
}

Result<std::optional<VerificationRow>> get_verification(Session& session,
                                                        std::string_view lineage) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " VERIFICATION_COLUMNS " FROM verifications WHERE lineage = ?"));
    statement.bind(lineage);
    if (!TRY(statement.step())) return std::optional<VerificationRow>();
    return std::optional(read_verification(statement));
}

Result<std::optional<RestoreCheckRow>> get_restore_check(Session& session,
                                                         std::string_view lineage) {
    auto statement = TRY(session.connection().prepare(
        "SELECT " RESTORE_CHECK_COLUMNS " FROM restore_checks WHERE lineage = ?"));
    statement.bind(lineage);
    if (!TRY(statement.step())) return std::optional<RestoreCheckRow>();
    return std::optional(read_restore_check(statement));
}

Result<std::vector<VerificationRow>> all_verifications(Session& session) {
    auto statement =
        TRY(session.connection().prepare("SELECT " VERIFICATION_COLUMNS " FROM verifications"));
    std::vector<VerificationRow> rows;
    while (TRY(statement.step())) rows.push_back(read_verification(statement));
    return rows;
}

Result<void> erase_checks(Session& session, std::string_view lineage) {
    TRY(session.connection().run("DELETE FROM restore_checks WHERE lineage = ?", lineage));
    return session.connection().run("DELETE FROM verifications WHERE lineage = ?", lineage);
}

}  // namespace tarn::meta
