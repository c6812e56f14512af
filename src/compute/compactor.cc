#include "compute/compactor.h"

#include <sys/statvfs.h>

#include <algorithm>

#include "base/log.h"
#include "sys/idle_thread.h"

namespace tarn::compute {

namespace {

using std::chrono::milliseconds;

constexpr double kAllowedMax = 8 << 20;  // what may come at once after a pause
constexpr milliseconds kPause{100};      // while waiting for allowance
constexpr milliseconds kRoundLeast{250};
constexpr milliseconds kRoundMost{15'000};
// Room that the file system must have.
constexpr uint64_t kRoomBytes = uint64_t{1} << 30;
constexpr uint64_t kRoomPart = 20;  // one part in so many

}  // namespace

void Compactor::begin(const store::Store& store, store::LogId log, milliseconds calm) {
    if (calm.count() == 0) return;
    root_ = store.root();
    auto mapped = store::MappedMap::open(root_, log);
    if (!mapped) return log::warn("compaction: {}", mapped.error().text());
    mapped_.emplace(std::move(*mapped));
    pages_.emplace(store.disk(), mapped_->map());
    thread_ = std::thread([this, calm] { run(calm); });
}

void Compactor::stop() {
    std::lock_guard hold(mutex_);
    stopping_ = true;
    wake_.notify_all();
}

void Compactor::end() {
    stop();
    if (thread_.joinable()) thread_.join();
}

void Compactor::run(milliseconds calm) {
    sys::become_idle();
    store::Compaction compaction(*pages_, calm);
    refilled_ = Clock::now();
    slots_seen_ = pages_->map().header().next_slot.load();
    while (wait_for(std::clamp(calm / 4, kRoundLeast, kRoundMost))) {
        if (pages_->check_live() < 0) break;  // the supervisor is being told
        auto done = round(compaction);
        if (done) continue;
        if (done.error().code() == Code::no_space) continue;
        if (pages_->check_live() == 0)
            log::warn("compaction: {}; no more pages are moved until the compute starts again",
                      done.error().text());
        break;
    }
    pages_->close_descriptors();
}

Result<void> Compactor::round(store::Compaction& compaction) {
    auto begin = Clock::now();
    uint64_t copied = TRY(compaction.round(begin, [this](uint32_t pages) { return allow(pages); }));
    if (copied > 0)
        log::info("compaction: {} pages were moved together in {} ms", copied,
                  std::chrono::duration_cast<milliseconds>(Clock::now() - begin).count());
    return {};
}

// False if it is time to stop.
bool Compactor::wait_for(milliseconds time) {
    std::unique_lock hold(mutex_);
    return !wake_.wait_for(hold, time, [this] { return stopping_; });
}

bool Compactor::allow(uint32_t pages) {
    if (!has_room()) return false;
    auto wanted = static_cast<double>(pages * store::kBlockBytes);
    for (refill(); allowed_bytes_ < wanted; refill())
        if (!wait_for(kPause)) return false;
    allowed_bytes_ -= wanted;
    slots_seen_ += pages;  // these are not PostgreSQL's
    return wait_for(milliseconds{0});
}

void Compactor::refill() {
    auto now = Clock::now();
    double seconds = std::chrono::duration<double>(now - refilled_).count();
    uint64_t slots = pages_->map().header().next_slot.load();
    double written = slots > slots_seen_ ? static_cast<double>(slots - slots_seen_) : 0;
    allowed_bytes_ +=
        seconds * kBytesPerSecond + kShare * written * static_cast<double>(store::kBlockBytes);
    allowed_bytes_ = std::min(allowed_bytes_, kAllowedMax);
    refilled_ = now;
    slots_seen_ = std::max(slots_seen_, slots);
}

// Copies take room until what they were made of is given back.
bool Compactor::has_room() {
    struct statvfs room {};
    if (::statvfs(root_.c_str(), &room) != 0) return false;
    uint64_t free = room.f_bavail * room.f_frsize;
    bool is_short = free < std::max(kRoomBytes, room.f_blocks * room.f_frsize / kRoomPart);
    if (is_short && !was_short_)
        log::warn("compaction: {} MiB are free: no pages are moved until there are more",
                  free >> 20);
    was_short_ = is_short;
    return !is_short;
}

}  // namespace tarn::compute
