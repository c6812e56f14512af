#include <algorithm>

#include "api/resources.h"

namespace tarn::api {

namespace {

constexpr size_t kNamesShown = 100;

Json json_of(const control::BranchHealth::Pin& pin) {
    Json by = Json::array();
    for (size_t at = 0; at < std::min(pin.by.size(), kNamesShown); ++at) by.push_back(pin.by[at]);
    return {{"restore_point_time", rfc3339(pin.taken)},
            {"bytes", pin.bytes},
            {"pinned_by", std::move(by)},
            {"pinned_by_count", pin.by.size()},
            {"by_restart", pin.by_restart}};
}

double seconds(Span span) {
    return std::chrono::duration<double>(span).count();
}

Json history_json(const control::BranchHealth& health) {
    const compute::HistoryCost& cost = *health.history;
    Json json = {{"measure_time", rfc3339(cost.measured)},
                 {"restore_points", cost.restore_points},
                 {"version_bytes", cost.version_bytes},
                 {"wal_bytes", cost.wal_bytes},
                 {"replay_max_seconds", seconds(cost.replay_max)},
                 {"pinned_bytes", cost.pinned_bytes},
                 {"pins", Json::array()}};
    for (const auto& pin : health.pins) json["pins"].push_back(json_of(pin));
    if (cost.from) json["begin_time"] = rfc3339(*cost.from);
    if (!cost.failure.empty()) json["failure"] = cost.failure;
    return json;
}

Json json_of(const meta::VerificationRow& row) {
    Json json = Json::object();
    if (row.verify_time) {
        json = {{"time", rfc3339(*row.verify_time)},
                {"result", row.damage_count > 0 ? "DAMAGED" : "WHOLE"},
                {"bytes", row.bytes},
                {"damage_count", row.damage_count},
                {"damages", Json::parse(row.damages, nullptr, false)}};
        if (row.newest_whole_lsn) json["newest_whole_lsn"] = row.newest_whole_lsn->text();
        if (row.newest_whole_time) json["newest_whole_time"] = rfc3339(*row.newest_whole_time);
    }
    if (row.whole_time) json["whole_time"] = rfc3339(*row.whole_time);
    if (row.failure) json["failure"] = *row.failure;
    return json;
}

}  // namespace

Json json_of(const meta::RestoreCheckRow& row) {
    Json json = {{"time", rfc3339(row.check_time)},
                 {"result", row.failure_count > 0 ? "FAILED" : "GOOD"},
                 {"moment_time", rfc3339(row.moment_time)},
                 {"relations", row.relations},
                 {"failure_count", row.failure_count},
                 {"failures", Json::parse(row.failures, nullptr, false)}};
    if (row.moment_lsn) json["moment_lsn"] = row.moment_lsn->text();
    if (row.good_time) json["good_time"] = rfc3339(*row.good_time);
    return json;
}

void add_health_to(Json& status, const control::BranchHealth& health) {
    if (health.history) status["history"] = history_json(health);
    if (health.keeps_bytes) status["source_pinned_bytes"] = *health.keeps_bytes;
    if (health.verification)
        if (Json json = json_of(*health.verification); !json.empty())
            status["verification"] = std::move(json);
    if (health.restore_check) status["restore_check"] = json_of(*health.restore_check);
}

}  // namespace tarn::api
