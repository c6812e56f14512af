#include "meta/lineage_owners.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define OWNERS_OF(kind, is_snapshot)                                                          \
    "SELECT o.lineage, p.id, o.id, " is_snapshot ", o.state FROM " kind " o JOIN projects p " \
    "ON p.uid = o.project_uid"

LineageOwner read(Statement& statement) {
    LineageOwner owner;
    owner.project_id = statement.text();
    owner.id = statement.text();
    owner.is_snapshot = statement.flag();
    owner.state = state_of(statement.text());
    return owner;
}

}  // namespace

Result<std::optional<LineageOwner>> owner_of_lineage(Session& session, std::string_view lineage) {
    auto statement = TRY(session.connection().prepare(
        OWNERS_OF("branches", "0") " WHERE o.lineage = ?1 UNION ALL " OWNERS_OF(
            "snapshots", "1") " WHERE o.lineage = ?1"));
    statement.bind(lineage);
    if (!TRY(statement.step())) return std::optional<LineageOwner>();
    statement.text();
    return std::optional(read(statement));
}

Result<std::map<std::string, LineageOwner>> all_lineage_owners(Session& session) {
    auto statement = TRY(session.connection().prepare(
        OWNERS_OF("branches", "0") " UNION ALL " OWNERS_OF("snapshots", "1")));
    std::map<std::string, LineageOwner> owners;
    while (TRY(statement.step())) {
        std::string lineage = statement.text();
        owners[lineage] = read(statement);
    }
    return owners;
}

}  // namespace tarn::meta
