// attachments.h: what computes hang on the store's records, which hold them as opaque text.
#pragma once

#include <map>
#include <string>

#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"
#include "pg/control_file.h"
#include "store/restore_point.h"

namespace tarn::compute {

using Attachments = std::map<std::string, std::string>;

// Of a restore point.
namespace restore_point_key {
inline constexpr const char* control = "control";                // pg_control's bytes
inline constexpr const char* consistent_lsn = "consistent_lsn";  // replay must get here
inline constexpr const char* tli = "tli";                        // of consistent_lsn
inline constexpr const char* taken = "taken";                    // RFC 3339
inline constexpr const char* replay_us =
    "replay_us";  // estimate for all WAL of the lineage up to it: differences tell distances
inline constexpr const char* file_prefix = "file:";  // + path in PGDATA: a small file
}  // namespace restore_point_key

// Of a lineage.
namespace lineage_key {
inline constexpr const char* system_identifier = "system_identifier";  // decimal
inline constexpr const char* pg_major = "pg_major";
inline constexpr const char* parent = "parent";  // decimal: the lineage of the moment branched at
}  // namespace lineage_key

// Of an incarnation that began from a restore point.
namespace incarnation_key {
inline constexpr const char* wal_end = "wal_end";  // where its WAL ended when it began
inline constexpr const char* begun = "begun";      // when that was, RFC 3339; of a branch's first
                                                   // one, the time of the moment branched at
inline constexpr const char* recovery =
    "recovery";  // "none": a copy of a template, shut down cleanly
}  // namespace incarnation_key

Result<Lsn> lsn_attachment(const Attachments& attachments, const char* key);
Result<uint64_t> number_attachment(const Attachments& attachments, const char* key);
Result<Time> time_attachment(const Attachments& attachments, const char* key);
// The control image of a restore point, decoded and as bytes.
struct PointControl {
    pg::ControlImage image;
    pg::ControlFile file;
};
Result<PointControl> control_of(const store::RestorePoint& point);

// "lineage/incarnation/number", for markers and messages.
std::string text_of(const store::RestorePointId& id);

}  // namespace tarn::compute
