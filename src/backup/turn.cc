#include "backup/turn.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "backup/manifest.h"
#include "base/log.h"
#include "sys/randomness.h"

namespace tarn::backup {

namespace {

constexpr std::string_view kRunning = "running/";
constexpr std::string_view kTrace = "running/pruned-";
constexpr Span kRenewed = std::chrono::minutes{5};
constexpr Span kHeldUp = std::chrono::minutes{20};  // well before it looks dead to others
constexpr std::chrono::milliseconds kBetweenLooks{500};

constexpr std::string_view name_of(Turn::Kind kind) {
    switch (kind) {
        case Turn::Kind::backup:
            return "backup";
        case Turn::Kind::pruning:
            return "pruning";
        case Turn::Kind::reader:
            return "reader";
    }
    return "";
}

std::string prefix_of(Turn::Kind kind) {
    return fmt::format("{}{}-", kRunning, name_of(kind));
}

std::string new_name(std::string_view prefix, Time now) {
    return fmt::format("{}{}-{:08x}", prefix, sortable(now),
                       static_cast<uint32_t>(sys::real_random().number()));
}

}  // namespace

Result<void> Turn::put() {
    Time now = clock_.now();
    std::string name = new_name(prefix_of(kind_), now);
    TRY(store_.put(name, name));
    std::string before = std::exchange(name_, name);
    put_at_ = now;
    if (!before.empty()) TRY(store_.remove(before));
    return {};
}

Result<Turn::Others> Turn::look() {
    Others others;
    std::string oldest = sortable(clock_.now() - kFresh);
    for (const auto& object : TRY(store_.list(std::string(kRunning)))) {
        if (object.name == name_) continue;
        bool pruning = object.name.starts_with(prefix_of(Kind::pruning));
        if (pruning || object.name.starts_with(kTrace)) others.traces.insert(object.name);
        for (Kind other : {Kind::backup, Kind::pruning, Kind::reader}) {
            std::string prefix = prefix_of(other);
            bool meets = kind_ == Kind::pruning || other == Kind::pruning;
            if (!meets || !object.name.starts_with(prefix)) continue;
            // A clock that is ahead makes nobody dead.
            if (object.name.substr(prefix.size()) < oldest) continue;
            others.in_the_way = object.name;
            others.is_pruning = pruning;
        }
    }
    return others;
}

Result<void> Turn::begin(Span patience) {
    TRY(put());
    auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
        auto others = look();
        if (!others) {
            end();
            return std::move(others).error();
        }
        traces_ = std::move(others->traces);
        if (!others->in_the_way) return {};
        // Two prunings that waited would wait for each other.
        bool both = others->is_pruning && kind_ == Kind::pruning;
        if (both || std::chrono::steady_clock::now() >= until) {
            end();
            return error(Code::unavailable, "somebody else is at work in {}, or died lately: {}",
                         store_.place(), *others->in_the_way)
                .with_hint("wait for it; if it has died, remove that object, or wait half an hour");
        }
        std::this_thread::sleep_for(kBetweenLooks);
        TRY(keep());
    }
}

bool Turn::was_held_up() const {
    return clock_.now() - put_at_ > kHeldUp;
}

Result<void> Turn::keep() {
    if (clock_.now() - put_at_ < kRenewed) return {};
    if (was_held_up())
        return error(Code::unavailable, "the {} was held up for 20 minutes, and may look dead",
                     name_of(kind_))
            .with_hint("begin it again: what was done is not done again");
    return put();
}

// One that has not ended and is not in the way looks dead.
Result<bool> Turn::met_pruning() {
    auto now = TRY(look()).traces;
    bool unended = std::any_of(now.begin(), now.end(), [](const std::string& trace) {
        return trace.starts_with(prefix_of(Kind::pruning));
    });
    return unended || now != traces_ || was_held_up();
}

// Others that began before it and look later find a name that is new to them.
Result<void> Turn::leave_trace() {
    std::string name = new_name(kTrace, clock_.now());
    TRY(store_.put(name, name));
    std::string dead = prefix_of(Kind::pruning) + sortable(clock_.now() - kDeadForSure);
    for (const std::string& earlier : traces_)
        if (earlier.starts_with(kTrace) || earlier < dead) TRY(store_.remove(earlier));
    return {};
}

void Turn::end() {
    if (name_.empty()) return;
    auto left = kind_ == Kind::pruning ? leave_trace() : Result<void>();
    std::string name = std::exchange(name_, "");
    // Without a trace the object itself stays, as one.
    if (left) left = store_.remove(name);
    if (!left) log::warn("backup: {}", left.error().text());
}

}  // namespace tarn::backup
