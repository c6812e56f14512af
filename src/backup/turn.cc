#include "backup/turn.h"

#include <utility>

#include "backup/manifest.h"
#include "base/log.h"
#include "sys/randomness.h"

namespace tarn::backup {

namespace {

constexpr std::string_view kRunning = "running/";
constexpr Span kRenewed = std::chrono::minutes{5};
constexpr Span kLost = std::chrono::minutes{20};  // well before it looks dead to others

constexpr std::string_view name_of(Turn::Kind kind) {
    return kind == Turn::Kind::backup ? "backup" : "pruning";
}

}  // namespace

Result<void> Turn::put() {
    Time now = clock_.now();
    std::string name = fmt::format("{}{}-{}-{:08x}", kRunning, name_of(kind_), sortable(now),
                                   static_cast<uint32_t>(sys::real_random().number()));
    TRY(store_.put(name, name));
    std::string before = std::exchange(name_, name);
    put_at_ = now;
    if (!before.empty()) TRY(store_.remove(before));
    return {};
}

Result<void> Turn::begin() {
    TRY(put());
    Time now = clock_.now();
    std::string oldest = sortable(now - kFresh), youngest = sortable(now + kFresh);
    for (const auto& object : TRY(store_.list(std::string(kRunning)))) {
        if (object.name == name_) continue;
        for (Kind other : {Kind::backup, Kind::pruning}) {
            std::string prefix = fmt::format("{}{}-", kRunning, name_of(other));
            if (!object.name.starts_with(prefix)) continue;
            std::string when = object.name.substr(prefix.size(), oldest.size());
            bool fresh = when >= oldest && when <= youngest;
            if (!fresh || (kind_ == Kind::backup && other == Kind::backup)) continue;
            end();
            return error(Code::unavailable, "a {} is under way in {}, or died lately: {}",
                         name_of(other), store_.place(), object.name)
                .with_hint("wait for it; if it has died, remove that object, or wait half an hour");
        }
    }
    return {};
}

Result<void> Turn::keep() {
    Span since = clock_.now() - put_at_;
    if (since < kRenewed) return {};
    if (since > kLost)
        return error(Code::unavailable, "the {} was held up for {} minutes, and may look dead",
                     name_of(kind_),
                     std::chrono::duration_cast<std::chrono::minutes>(since).count())
            .with_hint("begin it again: what was done is not done again");
    return put();
}

void Turn::end() {
    if (name_.empty()) return;
    auto removed = store_.remove(std::exchange(name_, ""));
    if (!removed) log::warn("backup: {}", removed.error().text());
}

}  // namespace tarn::backup
