#include "control/origin.h"

#include "meta/snapshots.h"

namespace tarn::control {

Result<Origin> origin_at(meta::Session& session, const std::string& uid, const std::string& name,
                         std::optional<Lsn> lsn) {
    auto branch = TRY(present(meta::get_branch(session, uid), "source branch", name));
    if (branch.state == meta::State::creating || branch.state == meta::State::purging)
        return error(Code::bad_request, "the source branch '{}' could not be made", branch.id);
    Origin origin{.lineage = branch.lineage, .name = branch.id, .writer_uid = {}, .moment = {}};
    if (lsn) origin.moment = *lsn;
    for (const auto& endpoint : TRY(meta::list_endpoints(session, uid)))
        if (endpoint.type == meta::EndpointType::read_write) origin.writer_uid = endpoint.uid;
    return origin;
}

Result<Origin> origin_of(meta::Session& session, const meta::BranchRow& row) {
    if (!row.source_snapshot_uid)
        return origin_at(session, row.source_uid.value_or(""), row.source_name.value_or(""),
                         row.source_lsn);
    std::string name = row.source_snapshot_name.value_or("");
    auto snapshot = TRY(
        present(meta::get_snapshot(session, *row.source_snapshot_uid), "source snapshot", name));
    return Origin{.lineage = snapshot.lineage, .name = name, .writer_uid = {}, .moment = {}};
}

}  // namespace tarn::control
