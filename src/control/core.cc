#include "control/core.h"

#include "control/uids.h"

namespace tarn::control {

Result<meta::OperationRow> Core::record(meta::Session& session, OperationKind kind,
                                        std::string resource_name, std::string resource_uid,
                                        std::string project_uid, bool done,
                                        std::optional<std::string> preserved_branch) {
    if (info(kind).leaves_nothing) computes.make_way_for_removal();
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

Result<void> Core::check_room(std::string_view doing) const {
    auto disk = computes.disk_space();
    if (disk.state == compute::DiskState::enough) return {};
    constexpr double kGiB = 1 << 30;
    return error(Code::no_space,
                 "cannot {}: on the server's disk {}, and at least {:.2f} GiB must be", doing,
                 compute::free_text(disk), static_cast<double>(disk.low) / kGiB)
        .with_hint(
            "make room: delete branches and projects with purge=true, delete snapshots, shorten "
            "history_retention_duration, or enlarge the disk");
}

}  // namespace tarn::control
