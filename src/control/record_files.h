// record_files.h: where records of the metadata lie: one file each in <data>/records.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "meta/records.h"

namespace tarn::control {

std::string records_directory(const std::string& data_directory);
std::string record_path(const std::string& directory, const meta::RecordName& name);
// The names of the records in the directory; none if it is not there.
Result<std::vector<meta::RecordName>> list_records(const std::string& directory);

struct UnreadableRecord {
    std::string path;
    Error why;
};
struct StoredRecords {
    std::vector<meta::Record> whole;
    std::vector<UnreadableRecord> damaged;
};
// All of them; one that is damaged, or lies under another's name, is no reason not to read the
// rest.
Result<StoredRecords> read_records(const std::string& directory);

// bad_request if the metadata is empty and there are records, or branches in the store, or if the
// records are another server's: to serve with it would put nothing in the place of what they hold.
Result<void> check_records(meta::Meta& meta, const std::string& directory,
                           const std::string& store_root);

}  // namespace tarn::control
