#include "compute/checkpoint_request.h"

#include <utility>

#include "compute/birth.h"

namespace tarn::compute {

namespace {

constexpr std::chrono::milliseconds kRestorePointLimit{60'000};
// A branch copies and replays the parent's WAL since its last checkpoint: more than this is worth a
// checkpoint, but not for each of many branches in a row.
constexpr uint64_t kReplayBytesMax = 1536 << 10;
constexpr std::chrono::seconds kForcedCheckpointInterval{3};

}  // namespace

Result<uint64_t> seal_now(const Endpoints& endpoints, const std::string& uid) {
    TRY(endpoints.query(uid, "postgres", "CHECKPOINT"));
    auto found = endpoints.find(uid);
    if (!found) return error(Code::unavailable, "endpoint {} is being removed", uid);
    std::shared_ptr<Channel> channel;
    uint64_t lineage = 0;
    {
        std::lock_guard held(found->mutex);
        channel = found->channel;
        lineage = found->lineage;
    }
    if (!channel) return error(Code::unavailable, "endpoint {} has stopped", uid);
    TRY(channel->ask(Order::restore_point, kRestorePointLimit));
    return lineage;
}

Result<void> seal_if_far(const Endpoints& endpoints, const store::Store& store, uint64_t lineage,
                         const std::string& uid) {
    auto distance = TRY(replay_distance(store, lineage));
    if (distance <= kReplayBytesMax) return {};
    auto found = endpoints.find(uid);
    if (!found) return {};
    {
        std::lock_guard held(found->mutex);
        auto time = std::chrono::steady_clock::now();
        bool lately = found->forced_checkpoint.time_since_epoch().count() != 0 &&
                      time - found->forced_checkpoint < kForcedCheckpointInterval;
        if (lately || !found->channel) return {};
        found->forced_checkpoint = time;
    }
    TRY(seal_now(endpoints, uid));
    return {};
}

}  // namespace tarn::compute
