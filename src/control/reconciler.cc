#include "control/reconciler.h"

#include <algorithm>

#include "base/log.h"

namespace tarn::control {

namespace {

using meta::OperationRow;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kMaxFailures = 5;
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10000};
constexpr milliseconds kOwnRound{500};

bool is_removal(const OperationRow& operation) {
    auto kind = operation_kind(operation.kind);
    return kind && info(*kind).leaves_nothing;
}

}  // namespace

void Reconciler::start(int threads) {
    for (int i = 0; i < threads; ++i)
        threads_.emplace_back([this](std::stop_token stop) { run(std::move(stop)); });
}

void Reconciler::request_stop() {
    stopping_ = true;
    for (auto& thread : threads_) thread.request_stop();
    core_.board.announce();
}

void Reconciler::stop() {
    request_stop();
    threads_.clear();
}

void Reconciler::run(std::stop_token stop) {
    while (!stop.stop_requested()) {
        uint64_t seen = core_.board.version();
        if (!run_one()) core_.board.wait(seen, steady_clock::now() + kOwnRound);
    }
}

bool Reconciler::run_one() {
    auto operation = claim();
    if (!operation) return false;
    work_on(*operation);
    core_.board.announce();
    return true;
}

std::optional<OperationRow> Reconciler::claim() {
    std::lock_guard lock(mutex_);
    auto pending =
        core_.meta.read([](meta::Session& session) { return meta::pending_operations(session); });
    if (!pending.ok()) {
        log::error("control: read pending operations: {}", pending.error().text());
        return std::nullopt;
    }
    std::set<std::string> waiting = busy_projects_;  // projects whose turn it is not
    for (OperationRow& operation : *pending) {
        if (!waiting.insert(operation.project_uid).second) continue;
        auto retry = retries_.find(operation.id);
        if (retry != retries_.end() && steady_clock::now() < retry->second.not_before) continue;
        busy_projects_.insert(operation.project_uid);
        return std::move(operation);
    }
    return std::nullopt;
}

void Reconciler::work_on(const OperationRow& operation) {
    // One with an error has been given up already, perhaps by an earlier server.
    auto result = operation.error_code ? steps_.take_back(operation) : steps_.perform(operation);
    if (result.ok()) {
        log::info("control: done operation={} kind={} resource={}", operation.id, operation.kind,
                  operation.resource_name);
        release(operation, true);
        return;
    }
    settle(operation, result.error());
}

void Reconciler::settle(const OperationRow& operation, const Error& failure) {
    if (stopping_) return release(operation, false);
    int failures = 0;
    {
        std::lock_guard lock(mutex_);
        failures = ++retries_[operation.id].failures;
    }
    bool may_pass = info(failure.code()).retryable && failures < kMaxFailures;
    if (may_pass || is_removal(operation) || operation.error_code) {
        log::warn(
            "control: operation={} kind={} resource={} failed {} times, will be tried again: {}",
            operation.id, operation.kind, operation.resource_name, failures, failure.text());
        release(operation, false);
        return;
    }
    log::error("control: operation={} kind={} resource={} failed: {}", operation.id, operation.kind,
               operation.resource_name, failure.text());
    auto taken_back = steps_.give_up(operation, failure);
    if (!taken_back.ok())
        log::warn("control: operation={} could not be taken back yet: {}", operation.id,
                  taken_back.error().text());
    release(operation, taken_back.ok());
}

void Reconciler::release(const OperationRow& operation, bool succeeded) {
    std::lock_guard lock(mutex_);
    busy_projects_.erase(operation.project_uid);
    if (succeeded) {
        retries_.erase(operation.id);
        return;
    }
    Retry& retry = retries_[operation.id];
    auto pause = kFirstPause * (1 << std::min(retry.failures, 10));
    retry.not_before = steady_clock::now() + std::min<milliseconds>(pause, kLongestPause);
}

}  // namespace tarn::control
