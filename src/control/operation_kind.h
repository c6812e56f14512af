// operation_kind.h: what an operation does, and to what.
#pragma once

#include <optional>
#include <string_view>

#include "control/names.h"

namespace tarn::control {

enum class OperationKind : uint8_t {
    create_project,
    update_project,
    delete_project,  // keeps it for undelete
    purge_project,   // for good
    undelete_project,
    create_branch,
    update_branch,
    delete_branch,
    purge_branch,
    undelete_branch,
    restore_branch,
    reset_branch,
    update_endpoint,
    create_snapshot,
    delete_snapshot,
    update_snapshot_schedule,
};

struct OperationKindInfo {
    std::string_view name;  // as stored
    ResourceKind resource;
    bool leaves_nothing;  // a removal: its response is Empty
};

const OperationKindInfo& info(OperationKind kind);
std::optional<OperationKind> operation_kind(std::string_view name);

}  // namespace tarn::control
