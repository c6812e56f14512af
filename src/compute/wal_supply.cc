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
      first_(begin.value / wal::kSegmentBytes) {}

void WalSupply::prepare(store::MapHeader& header) {
    // Recovery may make one more than it has found, and makes its name durable itself.
    shim::wal_segments(header).named.store(first_ + 1);
}

void WalSupply::keep(store::MapHeader& header) {
    auto& segments = shim::wal_segments(header);
    uint64_t newest = segments.newest.load();
    if (failed_ || newest <= first_ || newest + kAhead <= made_) return;
    uint32_t tli = header.flushed_epoch.load();
    auto made = wal::make_ahead(store_->disk(), directory_, {tli, newest + 1}, kAhead);
    if (!made) {
        log::warn("compute: no WAL is made ahead any more: {}", made.error().text());
        failed_ = true;
        return;
    }
    made_ = newest + kAhead;
    segments.named.store(made_);
}

void WalSupply::end(const store::MapHeader& header) {
    if (made_ == 0) return;
    uint64_t last = (header.flushed_position.load() - 1) / wal::kSegmentBytes;
    auto removed =
        wal::remove_ahead(store_->disk(), directory_, {header.flushed_epoch.load(), last + 1});
    if (!removed) log::warn("compute: WAL made ahead stays: {}", removed.error().text());
}

}  // namespace tarn::compute
