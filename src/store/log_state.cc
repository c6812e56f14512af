#include "store/log_state.h"

#include <fcntl.h>

#include "base/log.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

constexpr const char* kRestart =
    "restart the compute: it goes on from its last restore point and its WAL";

// `failure`: of a sync of the log's directory. If names are lost, those of new log segments may be.
Error poison_if_lost(sys::Disk& disk, const char* root, LogId log, Error failure) {
    if (failure.code() != Code::io_error) return failure;
    return poison_log(disk, root, log, std::move(failure));
}

}  // namespace

Result<std::optional<LogState>> log_state(sys::Disk& disk, const char* root, LogId log) {
    auto file = sys::File::open(disk, map_path(root, log).text, O_RDONLY);
    if (!file && file.error().code() == Code::not_found) return std::optional<LogState>();
    if (!file) return std::move(file).error();
    LogState state;
    auto read = file->read(&state, sizeof state, offsetof(MapHeader, state));
    if (!read && read.error().code() == Code::data_loss) return std::optional<LogState>();
    TRY_CTX(std::move(read), "read state of map");
    return std::optional<LogState>(state);
}

// Through the file, not through a mapping: the kernel keeps both the same, and a word is aligned.
Result<void> set_log_state(sys::Disk& disk, const char* root, LogId log, LogState state) {
    auto file = sys::File::open(disk, map_path(root, log).text, O_RDWR);
    if (!file && file.error().code() == Code::not_found) return {};
    if (!file) return std::move(file).error();
    TRY_CTX(file->write(&state, sizeof state, offsetof(MapHeader, state)), "write state of map");
    return {};
}

Result<void> check_unpoisoned(sys::Disk& disk, const char* root, LogId log) {
    if (TRY(log_state(disk, root, log)) != LogState::poisoned) return {};
    return error(Code::io_error, "a sync of log {:016x}/{} has failed", log.lineage,
                 log.incarnation)
        .with_hint(kRestart);
}

Error poison_log(sys::Disk& disk, const char* root, LogId log, Error failure) {
    auto poisoned = set_log_state(disk, root, log, LogState::poisoned);
    // The caller is told of the sync; that the map cannot be written either is only told here.
    if (!poisoned) log::error("poison log: {}", poisoned.error().text());
    return std::move(failure).with_hint(kRestart);
}

Result<void> sync_log_directory(sys::Disk& disk, const char* root, LogId log) {
    auto synced = sys::sync_directory(disk, incarnation_directory(root, log).text,
                                      sys::SyncSite::restore_point_directory);
    if (!synced) return poison_if_lost(disk, root, log, std::move(synced).error());
    return {};
}

Result<void> create_beside_log(sys::Disk& disk, const char* root, LogId log,
                               const std::string& path, std::string_view bytes, sys::SyncSite data,
                               sys::SyncSite directory) {
    auto created = sys::create_durably(disk, path, bytes, data, directory);
    if (!created) return poison_if_lost(disk, root, log, std::move(created).error());
    // A writer may have been the one that was told that this name is lost.
    auto whole = check_unpoisoned(disk, root, log);
    if (!whole) disk.unlink(path.c_str());
    return whole;
}

}  // namespace tarn::store
