#include "control/record_keeper.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>

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
    TRY(meta_.watch([this](const std::set<meta::RecordName>& names) {
        std::lock_guard lock(mutex_);
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

void RecordKeeper::run(const std::stop_token& stop) {
    compare(stop);
    while (!stop.stop_requested()) {
        bool written = write_pending();
        std::unique_lock lock(mutex_);
        auto never = [] { return false; };
        if (!written) changed_.wait_for(lock, stop, kPauseAfterFailure, never);
        changed_.wait(lock, stop, [this] { return !pending_.empty(); });
        changed_.wait_for(lock, stop, kGather, never);
    }
}

// Everything that there is; and what is there no more is put aside, not removed: this may be an
// older database than the one that was recorded.
void RecordKeeper::compare(const std::stop_token& stop) {
    auto wanted = meta_.read([](meta::Session& session) { return meta::all_records(session); });
    auto there = list_records(directory_);
    if (!wanted.ok() || !there.ok()) {
        log::error("control: compare the metadata records: {}",
                   wanted.ok() ? there.error().text() : wanted.error().text());
        return;
    }
    std::set<meta::RecordName> known(wanted->begin(), wanted->end());
    std::string aside = directory_ + "/aside";
    for (const meta::RecordName& name : *there) {
        if (stop.stop_requested() || known.contains(name)) continue;
        std::string path = record_path(directory_, name);
        auto made = sys::make_directory(sys::real_disk(), aside, 0700);
        if (!made.ok() || std::rename(path.c_str(), record_path(aside, name).c_str()) != 0)
            log::warn("control: record {} is of nothing that there is, and stays", path);
    }
    std::lock_guard lock(mutex_);
    pending_.merge(known);
}

// False if some could not be written; they stay pending. What one transaction changed is written
// together, but when the server starts, and all are compared.
bool RecordKeeper::write_pending() {
    std::set<meta::RecordName> names;
    {
        std::lock_guard lock(mutex_);
        names.swap(pending_);
    }
    std::set<meta::RecordName> failed;
    for (auto next = names.begin(); next != names.end();) {
        std::vector<meta::RecordName> part;
        while (next != names.end() && part.size() < kAtOnce) part.push_back(*next++);
        if (write(part).ok()) continue;
        // One that cannot be written must not keep the others from it.
        for (const meta::RecordName& name : part) {
            auto written = write({name});
            if (written.ok()) continue;
            log::warn("control: metadata record {} cannot be written, and will be tried again: {}",
                      name.text(), written.error().text());
            failed.insert(name);
        }
    }
    std::lock_guard lock(mutex_);
    pending_.insert(failed.begin(), failed.end());
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
