#include "control/endpoints.h"

#include "control/uids.h"

namespace tarn::control {

namespace {

using compute::ComputeState;
using meta::Session;
using meta::State;

constexpr std::string_view kSuspendField = "spec.suspend_timeout_duration";
constexpr std::string_view kPgSettingsField = "spec.settings.pg_settings";

// Puts `settings` into the row and checks what comes out.
Result<void> merge(meta::EndpointRow& row, const EndpointSettings& settings,
                   const Options& options) {
    Sizes sizes = merge_sizes({row.min_cu, row.max_cu}, settings.min_cu, settings.max_cu);
    if (settings.min_cu || settings.max_cu) TRY(check_sizes(sizes));
    row.min_cu = sizes.min_cu;
    row.max_cu = sizes.max_cu;
    if (settings.suspend) {
        TRY(check_suspend(kSuspendField, *settings.suspend, options.least_suspend));
        row.suspend = *settings.suspend;
    }
    if (settings.pg_settings) {
        TRY(check_pg_settings(kPgSettingsField, *settings.pg_settings));
        row.pg_settings = pg_settings_text(*settings.pg_settings);
    }
    return {};
}

}  // namespace

Result<void> try_out_settings(Core& core, std::string_view field, int pg_major, Sizes base,
                              const EndpointSettings& settings) {
    if (!settings.pg_settings) return {};
    TRY(check_pg_settings(field, *settings.pg_settings));
    if (settings.pg_settings->empty()) return {};
    Sizes sizes = merge_sizes(base, settings.min_cu, settings.max_cu);
    TRY_CTX(core.computes.check_settings(pg_major, sizes.max_cu, *settings.pg_settings),
            "Field '{}'", field);
    return {};
}

Result<meta::EndpointRow> draft_primary(Core& core, Session& session,
                                        const meta::ProjectRow& project,
                                        const std::string& branch_uid,
                                        const EndpointSettings& settings) {
    meta::EndpointRow row;
    row.uid = draw_uid(core.environment, "ep");
    row.branch_uid = branch_uid;
    row.id = "primary";
    row.min_cu = project.default_min_cu;
    row.max_cu = project.default_max_cu;
    row.suspend = project.default_suspend;
    row.pg_settings = project.default_pg_settings;
    row.create_time = row.update_time = core.now();
    TRY(merge(row, settings, core.options));
    row.address = TRY(core.options.addresses.allocate(session));
    return row;
}

Result<meta::OperationRow> Endpoints::create(const EndpointDraft& draft) {
    TRY(check_id("endpoint_id", draft.id));
    if (draft.replace_existing)
        TRY(try_out(draft.project, draft.branch, draft.id, draft.values.settings));
    return core_.meta.write([&](Session& session) -> Result<meta::OperationRow> {
        auto [project, branch] = TRY(live_branch(session, draft.project, draft.branch));
        if (TRY(meta::find_endpoint(session, branch.uid, draft.id))) {
            if (!draft.replace_existing)
                return error(Code::already_exists, "endpoint with such id already exists");
            return apply(session,
                         TRY(live_endpoint(session, draft.project, draft.branch, draft.id)),
                         draft.values);
        }
        // Every branch is born with its read-write endpoint, which cannot be deleted.
        if (draft.type == meta::EndpointType::read_write)
            return error(Code::bad_request, "read_write endpoint already exists");
        return error(Code::unimplemented, "read-only endpoints are not available in this version");
    });
}

Result<EndpointView> Endpoints::get(const std::string& project, const std::string& branch,
                                    const std::string& id) {
    return view(TRY(core_.meta.read(
        [&](Session& session) { return live_endpoint(session, project, branch, id); })));
}

Result<EndpointView> Endpoints::get_by_uid(const std::string& uid) {
    return view(
        TRY(core_.meta.read([&](Session& session) { return live_endpoint_by_uid(session, uid); })));
}

Result<Page<EndpointView>> Endpoints::list(const std::string& project, const std::string& branch,
                                           const std::string& after, size_t limit) {
    return core_.meta.read([&](Session& session) -> Result<Page<EndpointView>> {
        auto [project_row, branch_row] = TRY(live_branch(session, project, branch));
        Page<EndpointView> page;
        bool begun = after.empty();
        for (auto& row : TRY(meta::list_endpoints(session, branch_row.uid))) {
            if (!begun) {
                begun = row.uid == after;
                continue;
            }
            if (page.items.size() == limit) {
                page.more = true;
                break;
            }
            page.items.push_back(view({project_row, branch_row, std::move(row)}));
        }
        return page;
    });
}

Result<meta::OperationRow> Endpoints::update(const std::string& project, const std::string& branch,
                                             const std::string& id, const EndpointPatch& patch) {
    TRY(try_out(project, branch, id, patch.settings));
    auto operation = TRY(core_.meta.write([&](Session& session) -> Result<meta::OperationRow> {
        return apply(session, TRY(live_endpoint(session, project, branch, id)), patch);
    }));
    core_.board.announce();
    return operation;
}

// Before anything is written: what PostgreSQL refuses must not stop the compute that runs.
Result<void> Endpoints::try_out(const std::string& project, const std::string& branch,
                                const std::string& id, const EndpointSettings& settings) {
    if (!settings.pg_settings && !settings.max_cu) return {};
    auto found = core_.meta.read(
        [&](Session& session) { return live_endpoint(session, project, branch, id); });
    if (!found.ok()) return {};  // refused where it is looked up for good, or yet to be made
    Sizes sizes{found->endpoint.min_cu, found->endpoint.max_cu};
    // Settings that fit the old size may be too much for a new one.
    EndpointSettings both = settings;
    if (!both.pg_settings) both.pg_settings = parse_pg_settings(found->endpoint.pg_settings);
    return try_out_settings(core_, kPgSettingsField, found->project.pg_version, sizes, both);
}

Result<meta::OperationRow> Endpoints::apply(Session& session, FoundEndpoint found,
                                            const EndpointPatch& patch) {
    if (found.branch.state != State::ready) return conflicting_operation();
    meta::EndpointRow row = found.endpoint;
    TRY(merge(row, patch.settings, core_.options));
    row.disabled = patch.disabled.value_or(row.disabled);
    row.update_time = core_.now();
    TRY(meta::update_endpoint(session, row));
    // Sizes and time-outs act by themselves; these two need the compute stopped or restarted.
    bool settled =
        row.disabled == found.endpoint.disabled && row.pg_settings == found.endpoint.pg_settings;
    return core_.record(session, OperationKind::update_endpoint,
                        endpoint_name(found.project.id, found.branch.id, row.id), row.uid,
                        found.project.uid, settled);
}

Result<meta::OperationRow> Endpoints::remove(const std::string& project, const std::string& branch,
                                             const std::string& id) {
    auto found = TRY(core_.meta.read(
        [&](Session& session) { return live_endpoint(session, project, branch, id); }));
    return error(Code::bad_request,
                 "Cannot delete read-write endpoint '{}'. Read-write endpoints cannot be deleted.",
                 endpoint_name(found.project.id, found.branch.id, found.endpoint.id))
        .with_reason("MANAGED_BY_PARENT");
}

EndpointView Endpoints::view(const FoundEndpoint& found) const {
    const std::string& domain = core_.options.network_domain;
    EndpointView view{.row = found.endpoint,
                      .project_id = found.project.id,
                      .branch_id = found.branch.id,
                      .host = domain.empty() ? found.endpoint.address
                                             : fmt::format("{}.{}", found.endpoint.uid, domain),
                      .current = EndpointState::init,
                      .pending = {},
                      .compute = compute::ComputeState::stopped,
                      .reason = {},
                      .last_active_time = found.endpoint.last_active_time};
    if (found.branch.state == State::creating || found.project.state == State::creating) {
        view.pending = EndpointState::active;
        return view;
    }
    compute::ComputeStatus status = core_.computes.status(found.endpoint.uid);
    view.compute = status.state;
    view.reason = status.reason;
    view.current = EndpointState::idle;
    switch (status.state) {
        case ComputeState::running:
            view.current = EndpointState::active;
            break;
        case ComputeState::starting:
            view.pending = EndpointState::active;
            break;
        case ComputeState::stopping:
            view.current = EndpointState::active;
            view.pending = EndpointState::idle;
            break;
        case ComputeState::stopped:
        case ComputeState::failed:
            break;
    }
    // A start may fail before there is a compute that could say so.
    auto failure = wake_.start_failure(found.endpoint.uid);
    if (failure && status.state == ComputeState::stopped) {
        view.compute = ComputeState::failed;
        view.reason = failure->text();
    }
    if (auto last = wake_.last_active(found.endpoint.uid)) view.last_active_time = *last;
    return view;
}

}  // namespace tarn::control
