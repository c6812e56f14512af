// small_file.h: whole files of a few kilobytes: keys, certificates, profiles.
//
// A written file is there whole or not at all, whatever happens in between; pages and WAL have
// their own, faster door (disk.h).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tarn::sys {

inline constexpr size_t kSmallFileBytesMax = size_t{1} << 20;

// The file's bytes; none if there is no such file.
Result<std::optional<std::string>> read_small_file(const std::string& path);
// Puts `bytes` in place of what was at `path`, durably.
Result<void> write_small_file(const std::string& path, std::string_view bytes, mode_t mode);

struct SmallFile {
    std::string path;
    std::string bytes;
};
// The same for several of one directory. The first gets its name when all are durable, so a killed
// process leaves all of them or none, but for an instant.
Result<void> write_small_files(const std::vector<SmallFile>& files, mode_t mode);

}  // namespace tarn::sys
