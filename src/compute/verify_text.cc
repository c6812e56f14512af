#include "compute/verify_text.h"

#include <algorithm>

#include "compute/attachments.h"

namespace tarn::compute {

namespace {

constexpr size_t kPointsShown = 4;

std::string moment_text(Lsn lsn, const std::optional<Time>& time) {
    return time ? fmt::format("{} ({})", lsn.text(), rfc3339(*time)) : lsn.text();
}

std::string range_text(const MomentRange& range) {
    if (!range.from.valid() && !range.before) return "all";
    std::string text = fmt::format("{} {}", range.after ? "after" : "from",
                                   moment_text(range.from, range.from_time));
    return text + (range.before ? " to before " + moment_text(*range.before, range.before_time)
                                : " to the newest");
}

std::string points_text(const Damage& damage) {
    std::string text;
    size_t shown = std::min(damage.points.size(), kPointsShown);
    for (size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + text_of(damage.points[i]);
    if (shown < damage.points.size())
        text += fmt::format(" and {} more", damage.points.size() - shown);
    return text;
}

}  // namespace

std::string damage_text(const Damage& damage) {
    std::string text = fmt::format("{}: {} ({}", damage.what, damage.why, damage.file);
    text += damage.offset ? fmt::format(" at byte {})", *damage.offset) : ")";
    if (!damage.points.empty()) text += "; restore points: " + points_text(damage);
    text += "; moments: ";
    for (size_t i = 0; i < damage.moments.size(); ++i)
        text += (i == 0 ? "" : ", ") + range_text(damage.moments[i]);
    return text + (damage.moments.empty() ? "none that is kept" : "");
}

std::string summary_text(const LineageFindings& findings, size_t shown) {
    std::string text = fmt::format("damages: {}", findings.damage_count);
    if (shown < findings.damage_count)
        text += fmt::format(", of which the first {} are shown", shown);
    if (findings.newest_whole)
        return text + "; its newest whole moment is " +
               moment_text(findings.newest_whole->lsn, findings.newest_whole->time);
    return text + "; no moment of it is known to be whole";
}

}  // namespace tarn::compute
