#include "main/verify_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compute/attachments.h"
#include "compute/layout.h"
#include "compute/verify_text.h"

namespace tarn {

namespace {

using compute::Damage;
using compute::LineageFindings;
using compute::MomentRange;
using compute::StoreFindings;
using nlohmann::json;

constexpr size_t kDamagesShown = 100;
// "branch projects/p/branches/b (lineage 00000000000a0001)", or the lineage alone.
std::string subject(uint64_t lineage, const LineageNames& names) {
    std::string id = compute::lineage_text(lineage);
    auto name = names.find(id);
    return name == names.end() ? "lineage " + id
                               : fmt::format("{} (lineage {})", name->second, id);
}

json range_json(const MomentRange& range) {
    json text{{"from", range.from.text()}, {"after", range.after}};
    if (range.from_time) text["from_time"] = rfc3339(*range.from_time);
    if (range.before) text["before"] = range.before->text();
    if (range.before_time) text["before_time"] = rfc3339(*range.before_time);
    return text;
}

json damage_json(const Damage& damage) {
    json text{{"what", damage.what},
              {"why", damage.why},
              {"file", damage.file},
              {"restore_points", json::array()},
              {"moments", json::array()}};
    if (damage.offset) text["offset"] = *damage.offset;
    for (const auto& point : damage.points)
        text["restore_points"].push_back(compute::text_of(point));
    for (const MomentRange& range : damage.moments) text["moments"].push_back(range_json(range));
    return text;
}

json lineage_json(const LineageFindings& lineage, const LineageNames& names) {
    json text{{"lineage", compute::lineage_text(lineage.lineage)},
              {"incarnations", lineage.incarnations},
              {"restore_points", lineage.restore_points},
              {"wal_bytes", lineage.wal_bytes},
              {"damage_count", lineage.damage_count},
              {"damages", json::array()}};
    if (auto name = names.find(compute::lineage_text(lineage.lineage)); name != names.end())
        text["name"] = name->second;
    for (const Damage& damage : lineage.damages) {
        if (text["damages"].size() == kDamagesShown) break;
        text["damages"].push_back(damage_json(damage));
    }
    if (lineage.newest_whole)
        text["newest_whole"] = {{"lsn", lineage.newest_whole->lsn.text()},
                                {"time", rfc3339(lineage.newest_whole->time)},
                                {"restore_point", compute::text_of(lineage.newest_whole->point)}};
    return text;
}

struct Sums {
    uint64_t restore_points = 0, wal_bytes = 0, orphan_bytes = 0;
};

Sums sums_of(const StoreFindings& findings) {
    Sums sums;
    for (const LineageFindings& lineage : findings.lineages) {
        sums.restore_points += lineage.restore_points;
        sums.wal_bytes += lineage.wal_bytes;
    }
    for (const auto& orphan : findings.orphans) sums.orphan_bytes += orphan.bytes;
    return sums;
}

const char* verdict(const StoreFindings& findings) {
    if (findings.damage_count() > 0) return "damaged";
    return findings.unchecked.empty() ? "whole" : "not all could be checked";
}

}  // namespace

std::string text_report(const StoreFindings& findings, const LineageNames& names, double seconds) {
    std::string text;
    for (const LineageFindings& lineage : findings.lineages) {
        if (lineage.damage_count == 0) continue;
        size_t shown = std::min(lineage.damages.size(), kDamagesShown);
        std::string whose = subject(lineage.lineage, names);
        for (size_t i = 0; i < shown; ++i)
            text += fmt::format("damage: {}: {}\n", whose, damage_text(lineage.damages[i]));
        text += fmt::format("{}: {}\n", whose, summary_text(lineage, shown));
    }
    for (const auto& [lineage, why] : findings.unchecked)
        text += fmt::format("not checked: {}: {}\n",
                            lineage ? subject(*lineage, names) : "what nothing names", why.text());
    for (const auto& orphan : findings.orphans)
        text += fmt::format("note: {}: {} ({} bytes)\n", orphan.path, orphan.why, orphan.bytes);
    Sums sums = sums_of(findings);
    return text + fmt::format(
                      "{}: {} lineages, {} restore points, {} indexes, {} pages ({} bytes "
                      "read), {} bytes of WAL, {} orphans ({} bytes), {} damages, {:.1f} s\n",
                      verdict(findings), findings.lineages.size(), sums.restore_points,
                      findings.counts.indexes, findings.counts.pages, findings.counts.bytes,
                      sums.wal_bytes, findings.orphans.size(), sums.orphan_bytes,
                      findings.damage_count(), seconds);
}

std::string json_report(const StoreFindings& findings, const LineageNames& names, double seconds) {
    Sums sums = sums_of(findings);
    json text{{"verdict", verdict(findings)},       {"damage_count", findings.damage_count()},
              {"lineages", json::array()},          {"not_checked", json::array()},
              {"orphans", json::array()},           {"restore_points", sums.restore_points},
              {"indexes", findings.counts.indexes}, {"pages", findings.counts.pages},
              {"bytes", findings.counts.bytes},     {"wal_bytes", sums.wal_bytes},
              {"orphan_bytes", sums.orphan_bytes},  {"seconds", seconds}};
    for (const LineageFindings& lineage : findings.lineages)
        text["lineages"].push_back(lineage_json(lineage, names));
    for (const auto& [lineage, why] : findings.unchecked) {
        json unchecked{{"why", why.text()}};
        if (lineage) unchecked["lineage"] = compute::lineage_text(*lineage);
        text["not_checked"].push_back(std::move(unchecked));
    }
    for (const auto& orphan : findings.orphans)
        text["orphans"].push_back(
            {{"path", orphan.path}, {"why", orphan.why}, {"bytes", orphan.bytes}});
    // A path may hold any bytes.
    return text.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace tarn
