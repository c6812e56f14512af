// operations.h: the record of every mutation: asked for, under way, done or failed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "meta/meta.h"

namespace tarn::meta {

struct OperationRow {
    int64_t seq = 0;  // set by insert; operations of one project run in this order
    std::string id;
    std::string kind;  // "create_branch" ...: control's OperationKind
    std::string
        resource_name;  // "projects/p/branches/b": its own name is this + "/operations/" + id
    std::string resource_uid;
    std::string project_uid;
    bool done = false;
    // Set before done while what was begun is taken back.
    std::optional<std::string> error_code;
    std::optional<std::string> error_message;
    Time create_time;
    std::optional<Time> finish_time;
    // Name of the branch under which a restore or reset keeps what was there before.
    std::optional<std::string> preserved_branch;
};

Result<OperationRow> insert_operation(Session& session, OperationRow row);
Result<std::optional<OperationRow>> find_operation(Session& session, std::string_view id);
Result<std::vector<OperationRow>> pending_operations(Session& session);
Result<void> set_operation_error(Session& session, std::string_view id, std::string_view code,
                                 std::string_view message);
Result<void> finish_operation(Session& session, std::string_view id, Time now);
Result<void> erase_operations_finished_before(Session& session, Time time);

}  // namespace tarn::meta
