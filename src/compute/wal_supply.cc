#include "compute/wal_supply.h"

#include "base/log.h"
#include "compute/opening.h"
#include "shim/protocol.h"
#include "store/paths.h"
#include "wal/wal_ahead.h"

namespace tarn::compute {

namespace {

// One that is about to be needed, and one for the time in which the supervisor is busy.
constexpr uint32_t kAhead = 2;

}  // namespace

WalSupply::WalSupply(const store::Store& store, store::LogId log, Lsn begin)
    : store_(&store),
      directory_(incarnation_path(store, log) + "/" + store::kWalDirectory),
      first_(begin.value / wal::kSegmentBytes),
      begun_((begin.value - 1) / wal::kSegmentBytes) {}

void WalSupply::prepare(store::MapHeader& header) {
    shim::raise_named(shim::wal_segments(header), begun_);
}

Result<void> WalSupply::keep(store::MapHeader& header) {
    auto& segments = shim::wal_segments(header);
    uint64_t newest = segments.newest.load();
    if (newest <= first_ || newest == seen_) return {};
    seen_ = newest;
    wal::SegmentId next{header.flushed_epoch.load(), newest + 1};
    auto made = wal::make_ahead(store_->disk(), directory_, next, kAhead);
    if (auto named = wal::sync_names(store_->disk(), directory_); !named) {
        // PostgreSQL's processes live until they are killed: none may take a later sync for good.
        header.poison();
        return std::move(named).error();
    }
    if (made)
        shim::raise_named(segments, newest + kAhead);
    else
        log::warn("compute: PostgreSQL makes its WAL segments itself: {}", made.error().text());
    return {};
}

void WalSupply::end(const store::MapHeader& header) {
    if (seen_ == 0) return;
    uint64_t last = (header.flushed_position.load() - 1) / wal::kSegmentBytes;
    auto removed =
        wal::remove_ahead(store_->disk(), directory_, {header.flushed_epoch.load(), last + 1});
    if (!removed) log::warn("compute: WAL made ahead stays: {}", removed.error().text());
}

}  // namespace tarn::compute
