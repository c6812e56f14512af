// relation_path.h: what a path below PGDATA is, and which file the page store knows it by.
//
// The shim calls this on every open, so: no allocation, no exceptions, no C++ runtime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/file_id.h"

namespace tarn::pg {

// What Tarn works with; a control file that says anything else is refused.
inline constexpr uint32_t kBlockSize = 8192;
inline constexpr uint32_t kRelationSegmentBlocks = 131072;  // 1 GiB
inline constexpr uint32_t kSlruSegmentPages = 32;

inline constexpr uint32_t kDefaultTablespace = 1663;  // pg_default, the directory base/
inline constexpr uint32_t kGlobalTablespace = 1664;   // pg_global, the directory global/

enum class Fork : uint8_t { main = 0, free_space = 1, visibility = 2, init = 3 };

// One file of a relation. `database` is 0 in the global tablespace.
struct RelationFile {
    uint32_t tablespace = 0;
    uint32_t database = 0;
    uint32_t relation = 0;  // the relfilenumber
    Fork fork = Fork::main;
    uint32_t segment = 0;  // "16384.1" is segment 1

    bool operator==(const RelationFile&) const = default;
};
inline constexpr uint32_t kMaxSegment = (1u << 24) - 1;

// The SLRU directories whose pages go through the store. The others (pg_subtrans, pg_notify,
// pg_serial) are rebuilt at start-up and stay ordinary files.
enum class SlruKind : uint8_t { xact = 1, multixact_offsets, multixact_members, commit_ts };

struct SlruFile {
    SlruKind kind = SlruKind::xact;
    uint64_t segment = 0;
    bool long_name = false;  // 15 hex digits instead of 4 to 6

    bool operator==(const SlruFile&) const = default;
};

enum class PathKind : uint8_t {
    other,               // native: none of the below
    relation,            // pages in the store
    slru,                // pages in the store
    temporary_relation,  // t<process>_<relation>: native, local scratch
    control_file,        // global/pg_control
    relation_map,        // pg_filenode.map, global or of a database
    wal_segment,         // pg_wal/<24 hex digits>
};

struct PathClass {
    PathKind kind = PathKind::other;
    FileId id;  // valid for relation and slru only
};

// "PG_17_202406281": the directory inside a tablespace; it is constant for a major version.
// nullptr for a major that Tarn doesn't know.
const char* tablespace_version_directory(int major);

// Classifies `path`, which is relative to PGDATA. "." components and doubled slashes are tolerated
// as the kernel does; a path with ".." is `other`. Only names that PostgreSQL itself writes count:
// a leading zero, a ".0" or a lower-case SLRU name is `other`.
PathClass classify_path(std::string_view path, std::string_view version_directory);

FileId file_id(const RelationFile& file);
FileId file_id(const SlruFile& file);
bool is_slru(FileId id);
// False if `id` names no such file.
bool relation_of(FileId id, RelationFile* file);
bool slru_of(FileId id, SlruFile* file);

inline constexpr size_t kMaxPathSize = 96;  // enough for every path that format_path writes

// Writes the path of `id` relative to PGDATA, zero-terminated. Returns its length, or 0 if `id`
// names no file or `size` is too small.
size_t format_path(FileId id, std::string_view version_directory, char* buffer, size_t size);

}  // namespace tarn::pg
