#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "api/fields.h"
#include "api/mask.h"
#include "api/page.h"
#include "api/resources.h"
#include "api/spec_fields.h"

namespace tarn::api {

namespace {

using control::BranchDraft;
using control::BranchPatch;
using control::Control;

Result<BranchPatch> parse_spec(const Fields& spec) {
    BranchPatch patch;
    patch.is_protected = TRY(spec.boolean("is_protected"));
    patch.expiration = TRY(parse_expiration(spec));
    return patch;
}

Result<BranchDraft> parse_draft(const Request& request) {
    Json body = TRY(parse_body(request));
    Fields spec = TRY(Fields(body).object("spec"));
    BranchDraft draft;
    draft.project = request.captures[0];
    draft.id = request.parameter("branch_id");
    draft.replace_existing = TRY(flag_parameter(request, "replace_existing"));
    draft.values = TRY(parse_spec(spec));
    draft.source = TRY(parse_source(spec));
    return draft;
}

Result<BranchPatch> parse_patch(const Request& request) {
    Json body = TRY(parse_body(request));
    Fields spec = TRY(Fields(body).object("spec"));
    BranchPatch patch = TRY(parse_spec(spec));
    constexpr std::string_view kExpiration = "spec.expiration";
    MaskRules rules{.leaves = {{"spec.is_protected", spec.has("is_protected"), "", false},
                               {"spec.ttl", spec.has("ttl"), kExpiration, false},
                               {"spec.expire_time", spec.has("expire_time"), kExpiration, false},
                               {"spec.no_expiry", spec.has("no_expiry"), kExpiration, false}},
                    .ignored = {},
                    .immutable = {"spec.source_branch", "spec.source_branch_lsn",
                                  "spec.source_branch_time", "spec.source_snapshot"}};
    auto chosen = TRY(select_leaves(request.parameter("update_mask"), rules));
    if (!chosen.contains("spec.is_protected")) patch.is_protected.reset();
    if (!chosen.contains("spec.ttl") && !chosen.contains("spec.expire_time") &&
        !chosen.contains("spec.no_expiry"))
        patch.expiration.reset();
    return patch;
}

constexpr std::array<std::string_view, 6> kRestoreFields = {
    "source_branch",   "source_branch_lsn", "source_branch_time",
    "source_snapshot", "preserve",          "preserved_branch_id"};

// Methods of Tarn's own (docs/api/tarn.yaml): the contract has none for it.
Result<control::RestoreDraft> parse_restore(const Request& request) {
    Json body = TRY(parse_body(request));
    // What is misspelt would throw away more than was meant.
    for (const auto& [key, value] : body.items())
        if (std::ranges::find(kRestoreFields, key) == kRestoreFields.end() || value.is_null() ||
            value == "")
            return error(Code::invalid_argument, "Unknown or empty field '{}'.", key.substr(0, 100))
                .with_hint(fmt::format("the fields are {}", fmt::join(kRestoreFields, ", ")));
    Fields fields(body);
    control::RestoreDraft draft;
    draft.project = request.captures[0];
    draft.branch = request.captures[1];
    draft.source = TRY(parse_source(fields));
    draft.preserve = TRY(fields.boolean("preserve"));
    draft.preserved_id = TRY(fields.text("preserved_branch_id")).value_or("");
    return draft;
}

std::string_view state_text(const meta::BranchRow& row) {
    if (row.replaced_by) return "RESETTING";
    switch (row.state) {
        case meta::State::creating:
            return "INIT";
        case meta::State::ready:
            return "READY";
        case meta::State::deleted:
        case meta::State::purging:
            return "DELETED";
    }
    return "INIT";
}

}  // namespace

Json json_of(const control::BranchView& view) {
    const meta::BranchRow& row = view.row;
    Json status = {{"branch_id", row.id},
                   {"current_state", state_text(row)},
                   {"state_change_time", rfc3339(row.state_change_time)},
                   {"default", view.is_default},
                   {"is_protected", row.is_protected}};
    if (view.logical_size_bytes) status["logical_size_bytes"] = *view.logical_size_bytes;
    if (row.state == meta::State::creating || row.replaced_by) status["pending_state"] = "READY";
    if (row.source_name) status["source_branch"] = *row.source_name;
    if (row.source_snapshot_name) status["source_snapshot"] = *row.source_snapshot_name;
    if (row.source_lsn) status["source_branch_lsn"] = row.source_lsn->text();
    if (row.source_time) status["source_branch_time"] = rfc3339(*row.source_time);
    if (row.expire_time) status["expire_time"] = rfc3339(*row.expire_time);
    if (row.delete_time) status["delete_time"] = rfc3339(*row.delete_time);
    if (row.purge_time) status["purge_time"] = rfc3339(*row.purge_time);
    return {{"name", control::branch_name(view.project_id, row.id)},
            {"branch_id", row.id},
            {"parent", control::project_name(view.project_id)},
            {"uid", row.uid},
            {"create_time", rfc3339(row.create_time)},
            {"update_time", rfc3339(row.update_time)},
            {"status", std::move(status)}};
}

void add_branches(Router& router, Control& control) {
    std::string collection = fmt::format("{}projects/*/branches", kPostgres);
    std::string item = collection + "/*";
    router.add("POST", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        BranchDraft draft = TRY(parse_draft(request));
        return answer_operation(control, TRY(control.branches.create(draft)));
    });
    router.add("GET", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        PageRequest wanted = TRY(page_request(request, 2));
        auto page =
            TRY(control.branches.list(request.captures[0], wanted.after[0], wanted.after[1],
                                      TRY(flag_parameter(request, "show_deleted")), wanted.size));
        Json body = {{"branches", Json::array()}};
        for (const auto& view : page.items) body["branches"].push_back(json_of(view));
        if (page.more) {
            const auto& last = page.items.back().row;
            body["next_page_token"] = page_token({last.id, last.uid});
        }
        return answer(std::move(body));
    });
    router.add("GET", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        auto view = TRY(control.branches.get(request.captures[0], request.captures[1]));
        Json json = json_of(view);
        auto health = TRY(control::health_of(control.core(), view.row.lineage));
        add_health_to(json["status"], health);
        return answer(std::move(json));
    });
    router.add("PATCH", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        BranchPatch patch = TRY(parse_patch(request));
        return answer_operation(
            control, TRY(control.branches.update(request.captures[0], request.captures[1], patch)));
    });
    router.add("DELETE", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        bool purge = TRY(flag_parameter(request, "purge"));
        bool allow_missing = TRY(flag_parameter(request, "allow_missing"));
        auto operation = control.branches.remove(request.captures[0], request.captures[1], purge);
        if (!operation.ok() && operation.error().code() == Code::not_found && allow_missing)
            operation = control.branches.remove_missing(request.captures[0], request.captures[1]);
        return answer_operation(control, TRY(std::move(operation)));
    });
    router.add("POST", item + ":restore", Access::bearer,
               [&](const Request& request) -> Result<Response> {
                   auto draft = TRY(parse_restore(request));
                   return answer_operation(control, TRY(control.restores.restore(draft)));
               });
    router.add("POST", item + ":reset", Access::bearer,
               [&](const Request& request) -> Result<Response> {
                   auto draft = TRY(parse_restore(request));
                   return answer_operation(control, TRY(control.restores.reset(draft)));
               });
    router.add("POST", item + "/undelete", Access::bearer,
               [&](const Request& request) -> Result<Response> {
                   return answer_operation(control, TRY(control.branches.undelete(
                                                        request.captures[0], request.captures[1])));
               });
}

}  // namespace tarn::api
