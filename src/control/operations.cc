#include "control/operations.h"

namespace tarn::control {

namespace {

using std::chrono::steady_clock;

// Each waiter occupies a thread of its server; beyond this many they are answered at once and ask
// again.
constexpr int kMaxWaiting = 32;

}  // namespace

Result<OperationView> Operations::get(const std::string& resource, const std::string& id,
                                      Span patience) {
    struct Turn {
        std::atomic<int>& count;
        int before = count.fetch_add(1);
        ~Turn() { --count; }
    } turn{waiting_};
    auto until = steady_clock::now() + (turn.before < kMaxWaiting ? patience : Span{0});
    for (;;) {
        uint64_t seen = core_.board.version();
        auto row = TRY(read(resource, id));
        if (row.done || steady_clock::now() >= until) return view(std::move(row));
        core_.board.wait(seen, until);
    }
}

Result<meta::OperationRow> Operations::read(const std::string& resource, const std::string& id) {
    auto row = TRY(
        core_.meta.read([&](meta::Session& session) { return meta::find_operation(session, id); }));
    if (!row || row->resource_name != resource)
        return error(Code::not_found, "operation not found");
    return *row;
}

Result<OperationView> Operations::view(meta::OperationRow row) {
    auto kind = operation_kind(row.kind);
    if (!kind)
        return error(Code::data_loss, "operation {} has the unknown kind '{}'", row.id, row.kind);
    OperationView view{.row = std::move(row), .kind = *kind, .result = {}};
    if (!view.row.done || view.row.error_code || info(*kind).leaves_nothing) return view;
    const std::string& uid = view.row.resource_uid;
    // A resource that was deleted since is no failure of the operation.
    switch (info(*kind).resource) {
        case ResourceKind::project:
            if (auto found = projects_.get_by_uid(uid); found.ok())
                view.result = std::move(found).value();
            break;
        case ResourceKind::branch:
            if (auto found = branches_.get_by_uid(uid); found.ok())
                view.result = std::move(found).value();
            break;
        case ResourceKind::snapshot:
            if (auto found = snapshots_.get_by_uid(uid); found.ok())
                view.result = std::move(found).value();
            break;
        case ResourceKind::snapshot_schedule:
            if (auto found = snapshots_.schedule_by_uid(uid); found.ok())
                view.result = std::move(found).value();
            break;
        default:
            if (auto found = endpoints_.get_by_uid(uid); found.ok())
                view.result = std::move(found).value();
            break;
    }
    return view;
}

Result<std::vector<meta::OperationRow>> Operations::pending() {
    return core_.meta.read(
        [](meta::Session& session) { return meta::pending_operations(session); });
}

}  // namespace tarn::control
