// manifest.h: what one backup consists of (docs/formats/backup.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace tarn::backup {

inline constexpr int kManifestVersion = 1;
// Files are cut into parts of this size, each an object. A new one gives every file new objects.
inline constexpr uint64_t kPartBytes = uint64_t{4} << 20;

// "20261122T101500.250Z": names that begin so are in the order of their times.
std::string sortable(Time time);

// Says that a file has not changed since it was read. Never equal if it was changed so lately that
// the clock might not tell.
struct FileStamp {
    uint64_t inode = 0;
    uint64_t bytes = 0;
    int64_t changed = 0;  // ctime in nanoseconds; 0: not known
    bool operator==(const FileStamp&) const = default;
};

// Pages and WAL are useful also with a hole in them: whoever reads one finds that a checksum is
// wrong. Everything else is there whole or not at all.
bool may_have_holes(const std::string& path);

struct SavedFile {
    std::string path;  // below the data directory
    uint64_t bytes = 0;
    uint32_t mode = 0600;
    FileStamp stamp;                 // of what it was read from
    std::vector<std::string> parts;  // hashes that name the objects; "": zeros
};

struct Manifest {
    std::string id;
    std::string source;   // which data directory; drawn at random when it was backed up first
    std::string version;  // of the program
    Time taken;           // what had been durable by then is in it
    bool encrypted = false;
    std::vector<std::string> directories;  // below the data directory, to be made
    std::vector<SavedFile> files;
    std::vector<std::string> problems;  // what could not be backed up as it should be

    uint64_t bytes() const;
};

// "20261122T101500.250Z-0a1b2c3d": ids sort by time, and end in the beginning of their source's.
std::string backup_id(Time taken, const std::string& source);
// The end of an id: backups of one source have the same.
std::string source_in(const std::string& id);

std::string encode(const Manifest& manifest);
// data_loss if it is no manifest; bad_request if it is of a newer version. Paths lead nowhere but
// below the data directory.
Result<Manifest> decode_manifest(std::string_view text);

}  // namespace tarn::backup
