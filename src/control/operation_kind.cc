#include "control/operation_kind.h"

#include <iterator>

namespace tarn::control {

namespace {

constexpr OperationKindInfo kTable[] = {
    {"create_project", ResourceKind::project, false},
    {"update_project", ResourceKind::project, false},
    {"delete_project", ResourceKind::project, true},
    {"purge_project", ResourceKind::project, true},
    {"undelete_project", ResourceKind::project, false},
    {"create_branch", ResourceKind::branch, false},
    {"update_branch", ResourceKind::branch, false},
    {"delete_branch", ResourceKind::branch, true},
    {"purge_branch", ResourceKind::branch, true},
    {"undelete_branch", ResourceKind::branch, false},
    {"restore_branch", ResourceKind::branch, false},
    {"reset_branch", ResourceKind::branch, false},
    {"update_endpoint", ResourceKind::endpoint, false},
    {"create_snapshot", ResourceKind::snapshot, false},
    {"delete_snapshot", ResourceKind::snapshot, true},
    {"update_snapshot_schedule", ResourceKind::snapshot_schedule, false},
};
static_assert(std::size(kTable) ==
              static_cast<size_t>(OperationKind::update_snapshot_schedule) + 1);

}  // namespace

const OperationKindInfo& info(OperationKind kind) {
    return kTable[static_cast<size_t>(kind)];
}

std::optional<OperationKind> operation_kind(std::string_view name) {
    for (size_t i = 0; i < std::size(kTable); ++i)
        if (kTable[i].name == name) return static_cast<OperationKind>(i);
    return std::nullopt;
}

}  // namespace tarn::control
