#include "compute/wal_compressor.h"

#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "compute/layout.h"
#include "sys/idle_thread.h"

namespace tarn::compute {

namespace {

// Of plain WAL, whatever is left to do: several times what a busy compute writes.
constexpr uint64_t kBytesPerSecond = 32 << 20;

void wait(const std::stop_token& stop, Span span) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, stop, span, [] { return false; });
}

}  // namespace

WalCompressor::WalCompressor(Lineages& lineages, const ComputeUser& user, Span round,
                             DiskWatch disk)
    : lineages_(lineages),
      user_(user),
      round_(round),
      disk_(std::move(disk)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void WalCompressor::run(const std::stop_token& stop) {
    sys::become_idle();
    ActAs acting(user_);
    while (!stop.stop_requested()) {
        auto all = lineages_.all();
        if (!all) log::warn("compute: compress WAL: {}", all.error().text());
        for (uint64_t lineage : all ? *all : std::vector<uint64_t>()) compress(stop, lineage);
        wait(stop, round_);
    }
}

void WalCompressor::compress(const std::stop_token& stop, uint64_t lineage) {
    for (uint64_t bytes = 1; bytes > 0 && !stop.stop_requested() && !is_critical();) {
        auto compressed = lineages_.compress_wal(lineage, [&] { return !stop.stop_requested(); });
        if (!compressed)
            log::warn("compute: compress the WAL of lineage {}: {}", lineage_text(lineage),
                      compressed.error().text());
        bytes = compressed ? *compressed : 0;
        wait(stop, std::chrono::microseconds{bytes * 1'000'000 / kBytesPerSecond});
    }
}

}  // namespace tarn::compute
