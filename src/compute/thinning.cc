#include "compute/thinning.h"

#include <algorithm>

namespace tarn::compute {

Stretches stretches_of(const store::VersionSpans& spans) {
    Stretches stretches;
    for (const store::VersionSpan& span : spans.spans)
        if (span.last + 1 < spans.points.size()) stretches[{span.first, span.last}] += span.bytes;
    return stretches;
}

namespace {

uint64_t bytes_of(const Stretches& stretches, const std::vector<bool>& stays) {
    std::vector<uint32_t> before{0};
    for (bool stay : stays) before.push_back(before.back() + (stay ? 1 : 0));
    uint64_t total = 0;
    for (const auto& [stretch, bytes] : stretches)
        if (before[stretch.second + 1] > before[stretch.first]) total += bytes;
    return total;
}

// What may have to be replayed for a moment of that age. `slope`: replay a second of age.
Span allowed(Span age, double slope, const HistoryLimits& limits) {
    Span least = age < limits.dense ? Span{0} : limits.replay_max;
    auto sloped = std::chrono::duration_cast<Span>(
        std::chrono::duration<double, Span::period>(static_cast<double>(age.count()) * slope));
    return std::max(least, sloped);
}

Thinned thin_by(const std::vector<HistoryPoint>& points, Time now, double slope,
                const HistoryLimits& limits) {
    Thinned thinned;
    thinned.stays.assign(points.size(), true);
    Span last{0};  // of the last one that stays
    for (size_t at = 0; at < points.size(); ++at) {
        bool end = at == 0 || at + 1 == points.size();
        bool goes = !end && !points[at].needed &&
                    points[at + 1].replay - last <= allowed(now - points[at].taken, slope, limits);
        if (goes) {
            thinned.stays[at] = false;
            continue;
        }
        if (at > 0) thinned.replay_max = std::max(thinned.replay_max, points[at].replay - last);
        last = points[at].replay;
    }
    return thinned;
}

}  // namespace

HistoryLimits for_a_full_disk(HistoryLimits limits) {
    constexpr int kPart = 4;
    limits.budget /= kPart;
    limits.budget_least /= kPart;
    limits.dense = Span{0};
    return limits;
}

Thinned thin(const std::vector<HistoryPoint>& points, const Stretches& stretches, Time now,
             const HistoryLimits& limits, uint64_t size) {
    constexpr double kLeastSlope = 1.0 / 4096, kMostSlope = 64, kStep = 1.25;
    auto budget = std::max(static_cast<uint64_t>(static_cast<double>(size) * limits.budget),
                           limits.budget_least);
    // What is needed costs what it costs. So does the first one; where nobody needs it, half of the
    // budget at most is taken for it.
    std::vector<bool> pinned, fixed;
    for (size_t at = 0; at < points.size(); ++at) {
        pinned.push_back(points[at].needed);
        fixed.push_back(at == 0 || at + 1 == points.size() || points[at].needed);
    }
    uint64_t stays = bytes_of(stretches, fixed), oldest = stays - bytes_of(stretches, pinned);
    budget = stays + std::max(budget / 2, budget - std::min(budget, oldest));
    Thinned thinned = thin_by(points, now, 0, limits);
    thinned.bytes = bytes_of(stretches, thinned.stays);
    for (double slope = kLeastSlope; thinned.bytes > budget && slope <= kMostSlope;
         slope *= kStep) {
        thinned = thin_by(points, now, slope, limits);
        thinned.bytes = bytes_of(stretches, thinned.stays);
    }
    return thinned;
}

}  // namespace tarn::compute
