// log_state.h: the state word of an incarnation's log, in its map's file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/page_map.h"
#include "sys/disk.h"

namespace tarn::store {

// nullopt: there is no map, or only what a power cut has left of it: nobody can write to the log.
Result<std::optional<LogState>> log_state(sys::Disk& disk, const char* root, LogId log);
// Without a map there is nothing to say, and that is fine.
Result<void> set_log_state(sys::Disk& disk, const char* root, LogId log, LogState state);

// io_error if a sync of the log or of its directory has failed, in any process. To be asked after a
// sync of one's own: the kernel tells of what it has lost only once, and whoever was told poisons.
Result<void> check_unpoisoned(sys::Disk& disk, const char* root, LogId log);

// After a failed sync of the log or of its directory, which may have lost names of segments too:
// answers `failure` once nobody can write to the log any more.
Error poison_log(sys::Disk& disk, const char* root, LogId log, Error failure);

// Makes the names of restore points and indexes in the log's directory durable, or that they are
// gone. Whoever is told that names are lost, the log is poisoned: those of new segments may be too.
Result<void> sync_log_directory(sys::Disk& disk, const char* root, LogId log);

// Creates a file durably in the log's directory, which writers sync too, for new segments. Whoever
// is told that names are lost, it is not kept then, and the log is poisoned.
Result<void> create_beside_log(sys::Disk& disk, const char* root, LogId log,
                               const std::string& path, std::string_view bytes, sys::SyncSite data,
                               sys::SyncSite directory);

}  // namespace tarn::store
