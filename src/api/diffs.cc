#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "api/fields.h"
#include "api/resources.h"
#include "control/names.h"

namespace tarn::api {

namespace {

using control::Control;
using control::DiffDraft;
using control::DiffSide;
using control::DiffView;

constexpr std::array<std::string_view, 5> kFields = {"from_time", "from_lsn", "to_branch",
                                                     "to_time", "to_lsn"};

Result<void> parse_moment(const Fields& fields, const std::string& which, DiffSide& side) {
    if (auto lsn = TRY(fields.text(which + "_lsn"))) side.at_lsn = TRY(Lsn::parse(*lsn));
    side.at_time = TRY(fields.timestamp(which + "_time"));
    if (side.at_lsn && side.at_time)
        return error(Code::invalid_argument, "Only one of '{0}_lsn' and '{0}_time' may be given.",
                     which);
    return {};
}

Result<DiffDraft> parse_diff(const Request& request) {
    Json body = TRY(parse_body(request));
    // What is misspelt would compare something else than was meant.
    for (const auto& [key, value] : body.items())
        if (std::ranges::find(kFields, key) == kFields.end() || value.is_null() || value == "")
            return error(Code::invalid_argument, "Unknown or empty field '{}'.", key.substr(0, 100))
                .with_hint(fmt::format("the fields are {}", fmt::join(kFields, ", ")));
    Fields fields(body);
    DiffDraft draft;
    draft.project = request.captures[0];
    draft.from.branch = draft.to.branch = request.captures[1];
    TRY(parse_moment(fields, "from", draft.from));
    TRY(parse_moment(fields, "to", draft.to));
    if (auto name = TRY(fields.text("to_branch"))) {
        auto parsed = TRY(control::parse_name("to_branch", *name, control::ResourceKind::branch));
        if (parsed.project != draft.project)
            return error(Code::invalid_argument,
                         "to_branch field must point to a branch of the same Project");
        draft.to.branch = parsed.branch;
    }
    return draft;
}

Json json_of(const DiffView::Side& side) {
    return {{"branch", side.branch},
            {"lsn", side.point.lsn.text()},
            {"time", rfc3339(side.point.time)}};
}

Json json_of(const std::vector<diff::SchemaChange>& changes) {
    Json list = Json::array();
    for (const auto& change : changes)
        list.push_back({{"kind", change.kind},
                        {"name", change.name},
                        {"change", diff::name(change.direction)},
                        {"ddl", change.ddl}});
    return list;
}

Json json_of(const diff::RelationChange& change) {
    Json json = {{"name", change.name},
                 {"change", change.direction ? diff::name(*change.direction) : "changed"},
                 {"changed_blocks", change.changed_blocks},
                 {"changed_toast_blocks", change.changed_toast_blocks},
                 {"rows_inserted", change.rows.inserted},
                 {"rows_deleted", change.rows.deleted}};
    if (change.rows.by_key) json["rows_updated"] = change.rows.updated;
    return json;
}

Json json_of(const DiffView& view) {
    Json json = {{"from", json_of(view.from)},
                 {"to", json_of(view.to)},
                 {"schema", json_of(view.diff.server)},
                 {"databases", Json::array()}};
    for (const auto& database : view.diff.databases) {
        Json relations = Json::array();
        for (const auto& change : database.relations) relations.push_back(json_of(change));
        json["databases"].push_back({{"database", database.name},
                                     {"schema", json_of(database.schema)},
                                     {"relations", std::move(relations)}});
    }
    return json;
}

}  // namespace

void add_diffs(Router& router, Control& control) {
    router.add("POST", fmt::format("{}projects/*/branches/*:diff", kPostgres), Access::bearer,
               [&](const Request& request) -> Result<Response> {
                   auto draft = TRY(parse_diff(request));
                   return answer(json_of(TRY(control.diffs.make(draft))));
               });
}

}  // namespace tarn::api
