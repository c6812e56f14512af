#include "compute/thinning.h"

#include <algorithm>
#include <optional>
#include <ranges>

#include "base/flag_counts.h"

namespace tarn::compute {

Stretches stretches_of(const store::VersionSpans& spans) {
    Stretches stretches;
    for (const store::VersionSpan& span : spans.spans)
        if (span.last + 1 < spans.points.size()) stretches[{span.first, span.last}] += span.bytes;
    return stretches;
}

namespace {

uint64_t bytes_of(const Stretches& stretches, const std::vector<bool>& stays) {
    FlagCounts left(stays);
    uint64_t total = 0;
    for (const auto& [stretch, bytes] : stretches)
        if (left.between(stretch.first, stretch.second) > 0) total += bytes;
    return total;
}

// Those that stay whatever they cost: the ends, the oldest, what is needed, and anchors.
std::vector<bool> fixed_of(const std::vector<HistoryPoint>& points, Span gap_max) {
    std::vector<bool> fixed(points.size(), true);
    Time last;  // of the last one that stays
    for (size_t at = 0; at < points.size(); ++at) {
        const HistoryPoint& point = points[at];
        bool end = at == 0 || at + 1 == points.size();
        if (!end && !point.needed && !point.oldest)
            fixed[at] = points[at + 1].taken - last > gap_max;
        // A clock that was set back: what follows is as far apart as it says itself.
        last = fixed[at] ? point.taken : std::min(last, point.taken);
    }
    return fixed;
}

// What may have to be replayed for a moment of that age. `slope`: replay a second of age.
Span allowed(Span age, double slope, const HistoryLimits& limits) {
    Span least = age < limits.dense ? Span{0} : limits.replay_max;
    auto sloped = std::chrono::duration_cast<Span>(
        std::chrono::duration<double, Span::period>(static_cast<double>(age.count()) * slope));
    return std::max(least, sloped);
}

std::vector<bool> thin_by(const std::vector<HistoryPoint>& points, const std::vector<bool>& fixed,
                          Time now, double slope, const HistoryLimits& limits) {
    std::vector<bool> stays(points.size(), true);
    Span last{0};  // of the last one that stays
    for (size_t at = 0; at < points.size(); ++at) {
        if (!fixed[at])
            stays[at] =
                points[at + 1].replay - last > allowed(now - points[at].taken, slope, limits);
        if (stays[at]) last = points[at].replay;
    }
    return stays;
}

// What a step of the slope has freed too much is for the youngest of `wanted`.
std::vector<bool> with_the_youngest(const std::vector<bool>& stays, const std::vector<bool>& wanted,
                                    const Stretches& stretches, uint64_t most) {
    auto with = [&](size_t from) {
        std::vector<bool> more = stays;
        for (size_t at = from; at < more.size(); ++at) more[at] = more[at] || wanted[at];
        return more;
    };
    auto places = std::views::iota(size_t{0}, stays.size());
    auto first = std::ranges::partition_point(
        places, [&](size_t from) { return bytes_of(stretches, with(from)) > most; });
    return with(static_cast<size_t>(first - places.begin()));
}

}  // namespace

Span replay_max_of(const std::vector<HistoryPoint>& points, const std::vector<bool>& stays) {
    Span most{0};
    std::optional<Span> last;  // of the last one that stays
    for (size_t at = 0; at < points.size(); ++at) {
        if (!stays[at]) continue;
        if (last) most = std::max(most, points[at].replay - *last);
        last = points[at].replay;
    }
    return most;
}

HistoryLimits for_a_full_disk(HistoryLimits limits) {
    constexpr int kPart = 4;
    limits.budget /= kPart;
    limits.budget_least /= kPart;
    limits.dense = Span{0};
    limits.waits = false;
    return limits;
}

Thinned thin(const std::vector<HistoryPoint>& points, const Stretches& stretches,
             const HistoryWindow& window, const HistoryLimits& limits, uint64_t size) {
    constexpr double kLeastSlope = 1.0 / 4096, kMostSlope = 64, kStep = 1.25;
    auto budget = std::max(static_cast<uint64_t>(static_cast<double>(size) * limits.budget),
                           limits.budget_least);
    std::vector<bool> needed;
    for (const HistoryPoint& point : points) needed.push_back(point.needed);
    std::vector<bool> fixed = fixed_of(points, (window.now - window.opens) / 2);
    uint64_t most =
        std::max(bytes_of(stretches, needed) + budget, bytes_of(stretches, fixed) + budget / 2);
    std::vector<bool> wanted = thin_by(points, fixed, window.now, 0, limits), stays = wanted;
    for (double slope = kLeastSlope; bytes_of(stretches, stays) > most && slope <= kMostSlope;
         slope *= kStep)
        stays = thin_by(points, fixed, window.now, slope, limits);
    if (stays != wanted) stays = with_the_youngest(stays, wanted, stretches, most);
    return {stays, bytes_of(stretches, stays), replay_max_of(points, stays)};
}

}  // namespace tarn::compute
