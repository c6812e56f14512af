#include <array>

#include "api/fields.h"
#include "api/page.h"
#include "api/resources.h"
#include "api/spec_fields.h"

namespace tarn::api {

namespace {

using control::Cadence;
using control::Control;
using control::Period;

constexpr std::array<std::string_view, 3> kSchedules = {"daily_schedule", "weekly_schedule",
                                                        "monthly_schedule"};
constexpr std::array<std::string_view, 7> kWeekdays = {
    "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"};

Result<control::SnapshotDraft> parse_draft(const Request& request) {
    Json body = TRY(parse_body(request));
    Fields spec = TRY(Fields(body).object("spec"));
    control::SnapshotDraft draft;
    draft.project = request.captures[0];
    draft.id = request.parameter("snapshot_id");
    draft.source = TRY(parse_source(spec));
    draft.expiration = TRY(parse_expiration(spec));
    return draft;
}

Result<Cadence> parse_cadence(const Fields& fields) {
    Cadence cadence;
    auto wrong = [&](std::string_view field, std::string_view expected) {
        return error(Code::invalid_argument, "Field '{}' must be {}.", fields.path_of(field),
                     expected);
    };
    int given = 0;
    for (size_t i = 0; i < kSchedules.size(); ++i) {
        if (!fields.has(kSchedules[i])) continue;
        ++given;
        cadence.period = static_cast<Period>(i);
        Fields schedule = TRY(fields.object(kSchedules[i]));
        cadence.hour = static_cast<int>(
            std::clamp<int64_t>(TRY(schedule.integer("hour")).value_or(0), -1, 24));
        cadence.day =
            static_cast<int>(std::clamp<int64_t>(TRY(schedule.integer("day")).value_or(0), -1, 32));
        if (cadence.period != Period::week) continue;
        auto name = TRY(schedule.text("day_of_week")).value_or("");
        auto day = std::find(kWeekdays.begin(), kWeekdays.end(), name);
        cadence.day = day == kWeekdays.end() ? 0 : static_cast<int>(day - kWeekdays.begin()) + 1;
    }
    if (given != 1) return wrong("daily_schedule", "given, or one of its two alternatives");
    if (cadence.period == Period::day) cadence.day = 0;
    auto retention = TRY(fields.duration("retention"));
    if (!retention) return wrong("retention", "given");
    cadence.retention = *retention;
    return cadence;
}

Json json_of(const Cadence& cadence) {
    Json when = {{"hour", cadence.hour}};
    if (cadence.period == Period::week)
        when["day_of_week"] = kWeekdays.at(static_cast<size_t>(cadence.day - 1));
    if (cadence.period == Period::month) when["day"] = cadence.day;
    return {{kSchedules.at(static_cast<size_t>(cadence.period)), std::move(when)},
            {"retention", duration_text(cadence.retention)}};
}

Result<std::vector<Cadence>> parse_schedule(const Request& request) {
    const std::string& mask = request.parameter("update_mask");
    if (mask != "schedule" && mask != "*")
        return error(Code::invalid_argument,
                     "Unknown field path in update_mask: '{}'; the only one is 'schedule'",
                     mask.substr(0, 100));
    Json body = TRY(parse_body(request));
    std::vector<Cadence> cadences;
    if (auto items = TRY(Fields(body).objects("schedule")))
        for (const Fields& item : *items) cadences.push_back(TRY(parse_cadence(item)));
    return cadences;
}

}  // namespace

Json json_of(const control::SnapshotView& view) {
    const meta::SnapshotRow& row = view.row;
    Json spec = {{"source_branch", row.source_name}};
    if (row.source_lsn) spec["source_branch_lsn"] = row.source_lsn->text();
    if (row.source_time) spec["source_branch_time"] = rfc3339(*row.source_time);
    Json status = {{"source_branch", row.source_name}};
    if (view.full_size_bytes) status["full_size_bytes"] = *view.full_size_bytes;
    for (Json* part : {&spec, &status}) {
        if (row.expire_time)
            (*part)["expire_time"] = rfc3339(*row.expire_time);
        else
            (*part)["no_expiry"] = true;
    }
    return {{"name", control::snapshot_name(view.project_id, row.id)},
            {"snapshot_id", row.id},
            {"uid", row.uid},
            {"create_time", rfc3339(row.create_time)},
            {"spec", std::move(spec)},
            {"status", std::move(status)}};
}

Json json_of(const control::SnapshotScheduleView& view) {
    Json schedule = Json::array();
    for (const Cadence& cadence : view.cadences) schedule.push_back(json_of(cadence));
    return {{"name", control::snapshot_schedule_name(view.project_id, view.branch_id)},
            {"schedule", std::move(schedule)}};
}

void add_snapshots(Router& router, Control& control) {
    std::string collection = fmt::format("{}projects/*/snapshots", kPostgres);
    std::string item = collection + "/*";
    router.add("POST", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        auto draft = TRY(parse_draft(request));
        return answer_operation(control, TRY(control.snapshots.create(draft)));
    });
    router.add("GET", collection, Access::bearer, [&](const Request& request) -> Result<Response> {
        PageRequest wanted = TRY(page_request(request, 1));
        auto page = TRY(control.snapshots.list(request.captures[0], wanted.after[0], wanted.size));
        Json body = {{"snapshots", Json::array()}};
        for (const auto& view : page.items) body["snapshots"].push_back(json_of(view));
        if (page.more) body["next_page_token"] = page_token({page.items.back().row.id});
        return answer(std::move(body));
    });
    router.add("GET", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        auto view = TRY(control.snapshots.get(request.captures[0], request.captures[1]));
        Json json = json_of(view);
        auto health = TRY(control::health_of(control.core(), view.row.lineage));
        add_health_to(json["status"], health);
        return answer(std::move(json));
    });
    router.add("DELETE", item, Access::bearer, [&](const Request& request) -> Result<Response> {
        return answer_operation(
            control, TRY(control.snapshots.remove(request.captures[0], request.captures[1])));
    });
    std::string schedule = fmt::format("{}projects/*/branches/*/snapshot-schedule", kPostgres);
    router.add("GET", schedule, Access::bearer, [&](const Request& request) -> Result<Response> {
        return answer(
            json_of(TRY(control.snapshots.schedule(request.captures[0], request.captures[1]))));
    });
    router.add("PATCH", schedule, Access::bearer, [&](const Request& request) -> Result<Response> {
        auto cadences = TRY(parse_schedule(request));
        return answer_operation(control, TRY(control.snapshots.set_schedule(
                                             request.captures[0], request.captures[1], cadences)));
    });
}

}  // namespace tarn::api
