#include "control/record_keeper.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/log.h"
#include "control/record_files.h"
#include "sys/files.h"
#include "sys/small_file.h"

namespace tarn::control {

namespace {

using std::chrono::milliseconds;

// Creating a branch commits twice within some milliseconds: one record is enough.
constexpr milliseconds kGather{200};
constexpr milliseconds kPauseAfterFailure{5000};
constexpr size_t kAtOnce = 256;  // records, while reads of the metadata wait

}  // namespace

Result<void> RecordKeeper::start() {
    if (directory_.empty()) return {};
    TRY_CTX(sys::make_directory(sys::real_disk(), directory_, 0700),
            "make the directory of metadata records");
    uncompared_since_ = now_();
    TRY(meta_.watch([this](const std::set<meta::RecordName>& names) {
        std::lock_guard lock(mutex_);
        if (pending_.empty()) pending_since_ = now_();
        pending_.insert(names.begin(), names.end());
        changed_.notify_all();
    }));
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    return {};
}

void RecordKeeper::stop() {
    thread_.request_stop();
    if (!thread_.joinable()) return;
    thread_.join();
    write_pending();
}

RecordsStatus RecordKeeper::status() const {
    std::lock_guard lock(mutex_);
    RecordsStatus status;
    status.behind = pending_.size() + writing_;
    for (const auto& since : {pending_since_, writing_since_, uncompared_since_})
        if (since && (!status.since || *since < *status.since)) status.since = since;
    status.failure = compare_failure_.empty() ? write_failure_ : compare_failure_;
    return status;
}

void RecordKeeper::run(const std::stop_token& stop) {
    bool compared = false;
    while (!stop.stop_requested()) {
        compared = compared || compare(stop);
        bool written = write_pending();
        std::unique_lock lock(mutex_);
        auto never = [] { return false; };
        if (!written || !compared) changed_.wait_for(lock, stop, kPauseAfterFailure, never);
        if (compared) changed_.wait(lock, stop, [this] { return !pending_.empty(); });
        changed_.wait_for(lock, stop, kGather, never);
    }
}

// Everything that there is; and what is there no more is put aside, not removed: this may be an
// older database than the one that was recorded. False if it could not be compared.
bool RecordKeeper::compare(const std::stop_token& stop) {
    auto wanted = meta_.read([](meta::Session& session) { return meta::all_records(session); });
    std::set<meta::RecordName> known;
    if (wanted.ok()) known.insert(wanted->begin(), wanted->end());
    auto done = wanted.ok() ? put_aside(known, stop) : Result<void>(wanted.error());
    std::lock_guard lock(mutex_);
    if (!done.ok()) {
        std::string why = done.error().text();
        if (why != compare_failure_)
            log::error("control: compare the metadata records, which will be tried again: {}", why);
        compare_failure_ = std::move(why);
        return false;
    }
    compare_failure_.clear();
    if (!known.empty()) pending_since_ = uncompared_since_;
    uncompared_since_.reset();
    pending_.merge(known);
    return true;
}

Result<void> RecordKeeper::put_aside(const std::set<meta::RecordName>& known,
                                     const std::stop_token& stop) {
    std::string aside = directory_ + "/aside";
    for (const meta::RecordName& name : TRY(list_records(directory_))) {
        if (stop.stop_requested() || known.contains(name)) continue;
        std::string path = record_path(directory_, name);
        auto made = sys::make_directory(sys::real_disk(), aside, 0700);
        if (!made.ok() || std::rename(path.c_str(), record_path(aside, name).c_str()) != 0)
            log::warn("control: record {} is of nothing that there is, and stays", path);
    }
    return {};
}

std::set<meta::RecordName> RecordKeeper::take_pending() {
    std::lock_guard lock(mutex_);
    writing_ = pending_.size();
    writing_since_ = std::exchange(pending_since_, std::nullopt);
    return std::exchange(pending_, {});
}

void RecordKeeper::give_back(const std::set<meta::RecordName>& failed, std::string why) {
    std::lock_guard lock(mutex_);
    pending_.insert(failed.begin(), failed.end());
    if (!failed.empty()) pending_since_ = writing_since_;  // before all that came meanwhile
    writing_ = 0;
    writing_since_.reset();
    write_failure_ = std::move(why);
}

// False if some could not be written; they stay pending. What one transaction changed is written
// together, but when the server starts, and all are compared.
bool RecordKeeper::write_pending() {
    std::set<meta::RecordName> names = take_pending(), failed;
    std::string why;
    for (auto next = names.begin(); next != names.end();) {
        std::vector<meta::RecordName> part;
        while (next != names.end() && part.size() < kAtOnce) part.push_back(*next++);
        if (write(part).ok()) continue;
        // One that cannot be written must not keep the others from it.
        for (const meta::RecordName& name : part) {
            auto written = write({name});
            if (written.ok()) continue;
            why = written.error().text();
            log::warn("control: metadata record {} cannot be written, and will be tried again: {}",
                      name.text(), why);
            failed.insert(name);
        }
    }
    give_back(failed, std::move(why));
    return failed.empty();
}

Result<void> RecordKeeper::write(const std::vector<meta::RecordName>& names) {
    using Bytes = std::optional<std::string>;
    auto wanted = TRY(meta_.read([&](meta::Session& session) -> Result<std::vector<Bytes>> {
        std::vector<Bytes> all;
        for (const meta::RecordName& name : names)
            all.push_back(TRY(meta::encode_record(session, name)));
        return all;
    }));
    std::vector<sys::SmallFile> files;
    std::vector<std::string> gone;
    for (size_t i = 0; i < names.size(); ++i) {
        std::string path = record_path(directory_, names[i]);
        auto there = sys::read_file(sys::real_disk(), path);
        if (!wanted[i])
            gone.push_back(std::move(path));
        else if (!there.ok() || *there != *wanted[i])
            files.push_back({std::move(path), std::move(*wanted[i])});
    }
    TRY(sys::write_small_files(files, 0600));
    // Not synced: should one come back with a power cut, the next comparison finds it.
    for (const std::string& path : gone)
        if (::unlink(path.c_str()) != 0 && errno != ENOENT)
            return errno_error(errno, "remove " + path);
    return {};
}

}  // namespace tarn::control
