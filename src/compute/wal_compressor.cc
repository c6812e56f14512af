#include "compute/wal_compressor.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "compute/layout.h"

namespace tarn::compute {

namespace {

// Of plain WAL, whatever is left to do: several times what a busy compute writes.
constexpr uint64_t kBytesPerSecond = 32 << 20;

// As unimportant as a thread can be, to the processors and to the disk.
void step_back() {
    constexpr int kWhoProcess = 1, kIdleClass = 3 << 13;
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 19);
    ::syscall(SYS_ioprio_set, kWhoProcess, 0, kIdleClass);
}

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
    step_back();
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
