#include "control/core.h"

#include "control/uids.h"

namespace tarn::control {

Result<meta::OperationRow> Core::record(meta::Session& session, OperationKind kind,
                                        std::string resource_name, std::string resource_uid,
                                        std::string project_uid, bool done,
                                        std::optional<std::string> preserved_branch) {
    meta::OperationRow row;
    row.id = draw_uuid(environment);
    row.kind = info(kind).name;
    row.resource_name = std::move(resource_name);
    row.resource_uid = std::move(resource_uid);
    row.project_uid = std::move(project_uid);
    row.create_time = now();
    row.done = done;
    row.preserved_branch = std::move(preserved_branch);
    if (done) row.finish_time = row.create_time;
    return meta::insert_operation(session, std::move(row));
}

}  // namespace tarn::control
