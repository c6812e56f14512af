// What thinning promises, shown on branches that live through some windows of history. No page is
// written: how many bytes of them were last written before which restore point tells what each
// shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <utility>

#include "compute/thinning.h"

namespace tarn::compute {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr double kSize = uint64_t{1} << 30;  // of the branch, in bytes

// Some of a branch's pages, written at random.
struct Pages {
    double part;       // of the branch
    double rewritten;  // part of them, between two restore points
};

struct Load {
    std::vector<Pages> pages;
    Span apart;                            // two restore points, while it writes
    std::chrono::duration<double> replay;  // of what it writes between them
    Span busy = hours{24 * 365};           // before each pause
    Span idle{0};
};

double rewritten(double each_time, int times) {
    return 1 - std::pow(1 - each_time, times);
}

// As fast as it can: 17 % of the pages every 10 s, which replay in 3.5 s. With a hot tenth of the
// pages that gets nine of ten updates. For days in coarser rounds, so that they pass quickly.
const Load kFull{{{1, .17}}, seconds{10}, seconds{7} / 2.0};
const Load kHot{{{.1, .9988}, {.9, .08}}, seconds{10}, seconds{7} / 2.0};
const Load kFullForDays{{{1, rewritten(.17, 60)}}, minutes{10}, seconds{210}};
const Load kSlow{{{1, .01}}, minutes{5}, seconds{1} / 5.0};
const Load kBursts{{{1, .17}}, seconds{10}, seconds{7} / 2.0, minutes{2}, minutes{118}};

struct Life {
    const char* name;
    Load load;
    Span window;
    double version;  // what one that was written over takes, as a part of a page
    // The most seconds that a moment replays that is younger than half a minute, than five minutes.
    double half_a_minute, five_minutes;
};

std::ostream& operator<<(std::ostream& out, const Life& life) {
    return out << life.name;
}

class Branch {
  public:
    explicit Branch(const Life& life) : life_(life), written_(life.load.pages.size()) {}

    // Until the next restore point, or for a while of a pause; then a round of the server's.
    void go_on() {
        Span period = load().busy + load().idle, phase = now_.time_since_epoch() % period;
        if (phase < load().busy) {
            now_ += load().apart;
            add_restore_point();
        } else {
            now_ += std::min<Span>(minutes{10}, period - phase);
        }
        let_go();
        drop(thinned({}).stays);
    }

    Thinned thinned(const HistoryLimits& limits) const {
        Stretches stretches;
        for (const auto& [stretch, bytes] : stretches_)
            stretches[stretch] = static_cast<uint64_t>(bytes);
        auto points = points_;
        points.front().oldest = true;
        for (size_t at = points.size() - std::min<size_t>(points.size(), 2); at < points.size();
             ++at)
            points[at].needed = true;
        return thin(points, stretches, {now_ - life_.window, now_}, limits,
                    static_cast<uint64_t>(kSize));
    }

    Time now() const { return now_; }
    Span oldest() const { return now_ - points_.front().taken; }
    Span widest_gap() const {
        Span most{0};
        for (size_t at = 1; at < points_.size(); ++at)
            most = std::max(most, points_[at].taken - points_[at - 1].taken);
        return most;
    }

    // The most that opening a moment replays that is younger.
    double replay(Span age) const {
        Span most{0};
        for (size_t at = 1; at < points_.size(); ++at)
            if (points_[at].taken > now_ - age)
                most = std::max(most, points_[at].replay - points_[at - 1].replay);
        return std::chrono::duration<double>(most).count();
    }

    // What the newest but one shows, which comes on top of the budget.
    double needed_bytes() const {
        double sum = 0;
        for (const auto& [stretch, bytes] : stretches_)
            if (stretch.second + 2 == points_.size()) sum += bytes;
        return sum;
    }

  private:
    const Load& load() const { return life_.load; }
    void add_restore_point();
    void let_go();
    void drop(const std::vector<bool>& stays);

    const Life& life_;
    Time now_{hours{24 * 365 * 56}};
    std::vector<HistoryPoint> points_;
    std::map<std::pair<uint32_t, uint32_t>, double> stretches_;  // bytes, as in Stretches
    // Live bytes, by kind of pages and by the first restore point that shows them.
    std::vector<std::vector<double>> written_;
};

void Branch::add_restore_point() {
    auto place = static_cast<uint32_t>(points_.size());
    for (size_t kind = 0; kind < written_.size(); ++kind) {
        const Pages& pages = load().pages[kind];
        double fresh = place == 0 ? pages.part * kSize : 0;
        for (uint32_t at = 0; at < place; ++at) {
            double gone = written_[kind][at] * pages.rewritten;
            written_[kind][at] -= gone;
            fresh += gone;
            stretches_[{at, place - 1}] += gone * life_.version;
        }
        written_[kind].push_back(fresh);
    }
    Span replay = place == 0 ? Span{0} : points_.back().replay;
    points_.push_back({now_, replay + std::chrono::duration_cast<Span>(load().replay)});
}

// All before the newest one that was taken before the window opens; never the newest of all.
void Branch::let_go() {
    std::vector<bool> stays(points_.size(), true);
    for (size_t at = 0; at + 2 < points_.size(); ++at)
        stays[at] = points_[at + 1].taken > now_ - life_.window;
    drop(stays);
}

void Branch::drop(const std::vector<bool>& stays) {
    std::vector<uint32_t> before{0};  // how many of the first n stay
    for (bool each : stays) before.push_back(before.back() + (each ? 1 : 0));
    auto all = std::exchange(stretches_, {});
    for (const auto& [stretch, bytes] : all) {
        uint32_t first = before[stretch.first], end = before[stretch.second + 1];
        if (first < end) stretches_[{first, end - 1}] += bytes;
    }
    auto points = std::exchange(points_, {});
    for (size_t at = 0; at < stays.size(); ++at)
        if (stays[at]) points_.push_back(points[at]);
    for (std::vector<double>& written : written_) {
        std::vector<double> left(before.back());
        for (size_t at = 0; at < stays.size(); ++at) left[before[at]] += written[at];
        written = std::move(left);
    }
}

struct ThinningSimulation : testing::TestWithParam<Life> {};

TEST_P(ThinningSimulation, KeepsWhatThinningPromises) {
    const Life& life = GetParam();
    Branch branch(life);
    Time begun = branch.now();
    Span gap = std::max(life.window / 2, life.load.apart + life.load.idle);
    double half_a_minute = 0, five_minutes = 0;
    while (branch.now() - begun < 5 * life.window) {
        branch.go_on();
        if (branch.now() - begun < 2 * life.window) continue;
        SCOPED_TRACE(testing::Message() << rfc3339(branch.now()));
        ASSERT_LE(branch.oldest(), life.window + gap) << "one has always come of age";
        ASSERT_LE(branch.widest_gap(), gap);
        Thinned again = branch.thinned({});
        ASSERT_EQ(std::count(again.stays.begin(), again.stays.end(), false), 0);
        // With nothing to spend there is only what stays whatever it costs.
        auto fixed = static_cast<double>(branch.thinned({.budget = 0, .budget_least = 0}).bytes);
        ASSERT_LE(static_cast<double>(again.bytes),
                  std::max(branch.needed_bytes() + kSize, fixed + kSize / 2));
        half_a_minute = std::max(half_a_minute, branch.replay(seconds{30}));
        five_minutes = std::max(five_minutes, branch.replay(minutes{5}));
    }
    EXPECT_LE(half_a_minute, life.half_a_minute);
    EXPECT_LE(five_minutes, life.five_minutes);
}

// Where versions take whole pages and the window is long, the anchors use up the budget, and half
// of it buys two or three restore points 10 s apart: behind those a moment is opened from an
// anchor (half an hour of load replays in 630 s). Versions of an eighth leave room for restore
// points that lie further apart the older they are, about twice as far as they are old.
constexpr double kPage = 1, kSmall = 1.0 / 8;
const Life kLives[] = {
    {"FullFor2Minutes", kFull, minutes{2}, kPage, 3.5, 21},
    {"FullFor2MinutesSmall", kFull, minutes{2}, kSmall, 3.5, 3.5},
    {"HotFor2Minutes", kHot, minutes{2}, kPage, 7, 21},
    {"HotFor2MinutesSmall", kHot, minutes{2}, kSmall, 3.5, 3.5},
    {"FullForAnHour", kFull, hours{1}, kPage, 90, 630},
    {"FullForAnHourSmall", kFull, hours{1}, kSmall, 14, 150},
    {"HotForAnHour", kHot, hours{1}, kPage, 630, 630},
    {"HotForAnHourSmall", kHot, hours{1}, kSmall, 14, 150},
    {"FullForAWeek", kFullForDays, hours{24 * 7}, kPage, 210, 210},
    {"FullForAWeekSmall", kFullForDays, hours{24 * 7}, kSmall, 210, 210},
    {"SlowForAnHour", kSlow, hours{1}, kPage, .2, .2},
    {"SlowForAWeek", kSlow, hours{24 * 7}, kPage, .2, .2},
    {"SlowForAWeekSmall", kSlow, hours{24 * 7}, kSmall, .2, .2},
    {"BurstsForADay", kBursts, hours{24}, kPage, 90, 252},
    {"BurstsForADaySmall", kBursts, hours{24}, kSmall, 14, 14},
    {"BurstsForAnHour", kBursts, hours{1}, kPage, 7, 42},
};

INSTANTIATE_TEST_SUITE_P(Lives, ThinningSimulation, testing::ValuesIn(kLives),
                         [](const auto& life) { return std::string(life.param.name); });

}  // namespace
}  // namespace tarn::compute
